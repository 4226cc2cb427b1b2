//! Host, path, method, header, query, cookie, address to a route. Pure.
