//! The session store: its trait, the in-memory store, and the suite every store must pass.
