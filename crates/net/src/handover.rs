//! Descriptors that come from outside: systemd's socket activation, and the process we replace.
