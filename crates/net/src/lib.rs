//! Sockets: listen, dial, the narrow stream type, splice and sendfile, descriptor hand-over. The only crate with unsafe code.
