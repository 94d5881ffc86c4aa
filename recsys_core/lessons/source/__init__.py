"""The source document's own text, passage by passage, beside what Recscope does with each."""
