//! Admin API, reload, DNS re-resolution: what runs beside the way of a request.
