//! HTTP messages, the HTTP/1 engine of both sides, the upstream connection pool.
