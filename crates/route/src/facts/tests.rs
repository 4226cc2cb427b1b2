//! A request for tests.

use super::Facts;
use std::cell::Cell;
use std::net::IpAddr;

/// A request made of texts, that counts how often it was asked for its method.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    path: String,
    method: String,
    query: String,
    headers: Vec<(String, Vec<u8>)>,
    client: IpAddr,
    method_calls: Cell<usize>,
}

impl Request {
    pub(crate) fn get(path: &str) -> Self {
        Self {
            path: path.to_owned(),
            method: "GET".to_owned(),
            query: String::new(),
            headers: Vec::new(),
            client: IpAddr::from([127, 0, 0, 1]),
            method_calls: Cell::new(0),
        }
    }

    pub(crate) fn method(mut self, method: &str) -> Self {
        self.method = method.to_owned();
        self
    }

    pub(crate) fn query(mut self, query: &str) -> Self {
        self.query = query.to_owned();
        self
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.as_bytes().to_vec()));
        self
    }

    pub(crate) fn client(mut self, address: &str) -> Self {
        self.client = address.parse().unwrap();
        self
    }

    pub(crate) fn method_calls(&self) -> usize {
        self.method_calls.get()
    }
}

impl Facts for Request {
    fn path(&self) -> &[u8] {
        self.path.as_bytes()
    }

    fn method(&self) -> &[u8] {
        self.method_calls.set(self.method_calls.get() + 1);
        self.method.as_bytes()
    }

    fn header(&self, name: &str, accept: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        self.headers.iter().any(|(field, value)| field.eq_ignore_ascii_case(name) && accept(value))
    }

    fn query(&self) -> &[u8] {
        self.query.as_bytes()
    }

    fn client(&self) -> IpAddr {
        self.client
    }
}
