//! The configuration model that every front end produces.
