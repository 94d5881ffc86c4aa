"""Recscope: `streamlit run app.py`. The frame around every page is in `pages.shared.frame`."""

from pages.shared.frame import run_app

run_app()
