"""Recscope's core library: data, models, evaluation, explanations. It never imports streamlit."""
