//! The names by which the server may be called.

/// Host names, each of which stands for its subdomains too: clients call `api.NAME` and the like. None: any name will do.
#[derive(Debug, Clone)]
pub struct HostNames(pub Vec<String>);

impl HostNames {
    /// Whether a request may call the server by this name: the value of a `Host` header, with or without a port.
    pub fn accept(&self, host: &str) -> bool {
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
            _ => host,
        };
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        self.0.is_empty()
            || self.0.iter().any(|known| {
                let known = known.to_ascii_lowercase();
                name.strip_suffix(known.as_str()).is_some_and(|prefix| prefix.is_empty() || prefix.ends_with('.'))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_stand_for_their_subdomains() {
        assert!(HostNames(Vec::new()).accept("anything"));
        let names = HostNames(vec!["Meet.example.org".to_owned()]);
        for host in ["meet.example.org", "MEET.example.org:8787", "api.meet.example.org.", "meet.example.org:"] {
            assert!(names.accept(host), "{host}");
        }
        for host in ["example.org", "evilmeet.example.org", "meet.example.org.evil", "[::1]:8787", "meet.example.org@evil", ""] {
            assert!(!names.accept(host), "{host}");
        }
    }
}
