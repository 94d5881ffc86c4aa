"""Tuning of model settings on validation data, with the same budget for every model.

`TuningSpec` says what is tuned, `TuningStore` keeps it in the workspace, `run_next_trial` runs one trial of one model,
and `TestPartGuard` records that the test part is read once, after tuning. Optuna is imported where it is used.
"""
