"""Columns and values of CSV exports, made of their headers and cells. Pure: no HTTP, no Singer."""
