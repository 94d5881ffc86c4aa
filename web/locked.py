"""The page for browsers without the token."""

LOCKED_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Recscope: token needed</title>
<style>body { font: 16px/1.5 system-ui, sans-serif; max-width: 36rem; margin: 4rem auto; padding: 0 1rem;
color: #0d1117; background: #fff } input, button { font: inherit; padding: .4rem .6rem }</style></head>
<body><h1>This server requires a token</h1>
<p>Open the link that the server printed at startup; it ends in <code>?token=...</code>. Or paste the token
here:</p>
<form method="get"><label>Token <input name="token" type="password" autocomplete="off" required></label>
<button>Open</button></form></body></html>
"""
