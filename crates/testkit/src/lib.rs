//! Scripted origins and clients for tests.
