"""Recscope: `streamlit run app.py` imports this file to serve the app, and runs it for every visitor."""

import streamlit as st

if __name__ == "__main__":
    from pages.ui.frame import run_app

    run_app()
else:
    from web.serve import parts

    app = st.App(__file__, **parts())
