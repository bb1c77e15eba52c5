//! The resumable session machine of the undrop protocol, without I/O.
