"""Recscope's library: data, algorithms, evaluation, explanation. It never imports streamlit."""
