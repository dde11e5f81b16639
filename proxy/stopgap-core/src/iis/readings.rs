//! The set of readings of one target.
