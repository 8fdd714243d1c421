"""Singer's side of the tap, and the only place that knows private names of the SDK."""
