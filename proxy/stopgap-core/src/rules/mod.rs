//! Rules: from their specification to a compiled matcher.
