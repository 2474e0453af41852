//! The names by which the server may be called, and pages of other origins than its own.
//! Next: `rest/door.rs`, which asks before anything else.

use std::net::{Ipv4Addr, Ipv6Addr};

use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri, header};

/// Host names, each of which stands for its subdomains too: clients call `api.NAME` and the like.
#[derive(Debug, Clone)]
pub struct HostNames {
    pub names: Vec<String>,
    /// Those of this machine, and no others but `names`: a stranger's name that was made to point here is none of them, so no
    /// page of that stranger can call. Without this, and without names, any name will do.
    pub of_this_machine: bool,
}

impl HostNames {
    /// Whether a request may call the server by this name: the value of a `Host` header, with or without a port.
    pub fn accept(&self, host: &str) -> bool {
        let name = without_port(host).trim_end_matches('.').to_ascii_lowercase();
        // Anything else would be part of another name, or of a path, in the links that are made of it.
        if !host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:[]".contains(&byte)) {
            return false;
        }
        self.are_any()
            || (self.of_this_machine && is_of_this_machine(host))
            || self.names.iter().any(|known| {
                let known = known.to_ascii_lowercase();
                name.strip_suffix(known.as_str()).is_some_and(|prefix| prefix.is_empty() || prefix.ends_with('.'))
            })
    }

    /// Says which they are, to those who call by another.
    pub fn only(&self) -> &'static str {
        match self.of_this_machine {
            true => "salon dev answers to localhost, 127.0.0.1 and [::1] only",
            false => "its names are in http.hosts",
        }
    }

    /// Whether any name will do.
    pub fn are_any(&self) -> bool {
        self.names.is_empty() && !self.of_this_machine
    }
}

/// The name by which the server is called, with a port if it was given.
pub fn host<'r>(uri: &'r Uri, headers: &'r HeaderMap) -> Option<&'r str> {
    // HTTP/2 has it in the address, HTTP/1 in a header.
    uri.authority().map(|authority| authority.as_str()).or_else(|| headers.get(header::HOST)?.to_str().ok())
}

/// Whether a host name, with or without a port, is one of this very machine.
pub fn is_of_this_machine(host: &str) -> bool {
    let name = without_port(host).trim_end_matches('.').to_ascii_lowercase();
    let v6 = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')?.parse::<Ipv6Addr>().ok());
    name == "localhost"
        || name.ends_with(".localhost")
        || name.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
        || v6.is_some_and(|address| address.is_loopback())
}

/// Whether a host name, with or without a port, is an address.
pub fn is_address(host: &str) -> bool {
    let name = without_port(host);
    name.parse::<Ipv4Addr>().is_ok()
        || name.strip_prefix('[').and_then(|name| name.strip_suffix(']')?.parse::<Ipv6Addr>().ok()).is_some()
}

/// Whether a request was made by a web page that did not come from here. Programs name no origin.
pub fn is_foreign_page(parts: &Parts) -> bool {
    let Some(origin) = parts.headers.get(header::ORIGIN) else { return false };
    let from = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, from)| from);
    match (from, host(&parts.uri, &parts.headers)) {
        (Some(from), Some(host)) => !from.eq_ignore_ascii_case(host),
        _ => true,
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    #[test]
    fn hosts_stand_for_their_subdomains() {
        assert!(HostNames { names: Vec::new(), of_this_machine: false }.accept("anything"));
        let names = HostNames { names: vec!["Meet.example.org".to_owned()], of_this_machine: false };
        for host in ["meet.example.org", "MEET.example.org:8787", "api.meet.example.org.", "meet.example.org:"] {
            assert!(names.accept(host), "{host}");
        }
        for host in ["evil/.meet.example.org", "evil#.meet.example.org", "evil?.meet.example.org", "evil@.meet.example.org"] {
            assert!(!names.accept(host), "{host}");
            assert!(!HostNames { names: Vec::new(), of_this_machine: false }.accept(host), "{host}");
        }
        for host in ["example.org", "evilmeet.example.org", "meet.example.org.evil", "[::1]:8787", "meet.example.org@evil", ""] {
            assert!(!names.accept(host), "{host}");
        }
    }

    #[test]
    fn only_names_of_this_machine_are_local() {
        let local =
            ["localhost", "localhost:8787", "127.0.0.1:1", "127.9.8.7", "[::1]:8787", "[::1]", "api.localhost:1", "LOCALHOST."];
        let foreign =
            ["", "example.org", "localhost.example.org", "127.0.0.1.nip.io:8787", "notlocalhost", "10.0.0.1", "[::2]", "::1"];
        assert!(local.into_iter().all(is_of_this_machine));
        assert!(!foreign.into_iter().any(is_of_this_machine));
        let dev = HostNames { names: vec!["salon.test".to_owned()], of_this_machine: true };
        assert!(dev.accept("localhost:1") && dev.accept("api.salon.test") && !dev.accept("evil.example") && !dev.are_any());
    }

    #[test]
    fn a_page_is_ours_if_it_came_from_where_it_calls() {
        let foreign = |host: &str, origin: Option<&str>| {
            let mut request = Request::builder().uri("/v2/meetings").header("host", host);
            if let Some(origin) = origin {
                request = request.header("origin", origin);
            }
            is_foreign_page(&request.body(()).expect("a request").into_parts().0)
        };
        for ours in [None, Some("http://localhost:8787"), Some("https://LOCALHOST:8787")] {
            assert!(!foreign("localhost:8787", ours), "{ours:?}");
        }
        for theirs in ["http://localhost:3000", "http://localhost", "https://evil.example", "null", "", "http://127.0.0.1:8787"] {
            assert!(foreign("localhost:8787", Some(theirs)), "{theirs}");
        }
    }
}
