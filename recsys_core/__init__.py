"""Recscope's library: data, algorithms, evaluation and explanation of recommender systems. It never imports streamlit."""
