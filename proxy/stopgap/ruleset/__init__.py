"""The rules: packs in TOML -> checked data -> the specification that the core compiles."""
