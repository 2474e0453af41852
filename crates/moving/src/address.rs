//! The address of a server of the API, which secrets are sent to.

use reqwest::Url;

/// A base address without a slash at its end: `https`, or `http` on this computer, for secrets go there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base(String);

impl Base {
    /// # Errors
    /// It is none. The sentence goes on from the address.
    pub fn parse(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|why| format!("is no address: {why}"))?;
        if url.query().is_some() || url.fragment().is_some() {
            return Err("must end with its path".to_owned());
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("must hold no password: it would show in the list of processes".to_owned());
        }
        let here = match url.host() {
            Some(host) => {
                let host = host.to_string();
                let ip = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
                host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback())
            }
            None => false,
        };
        match url.scheme() {
            "https" => {}
            "http" if here => {}
            "http" => return Err("must begin with https://, for the API token goes there".to_owned()),
            _ => return Err("must begin with https://".to_owned()),
        }
        Ok(Self(url.as_str().trim_end_matches('/').to_owned()))
    }

    /// The address of what is at this path, which begins with a slash.
    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }
}

impl std::fmt::Display for Base {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_go_over_tls_or_stay_on_this_computer() {
        for good in
            ["https://api.example.org/client/v4/", "http://127.0.0.1:8787/client/v4", "http://[::1]:1", "http://localhost"]
        {
            let base = Base::parse(good).unwrap();
            assert!(!base.to_string().ends_with('/'), "{base}");
        }
        let bad = [
            "http://api.example.org",
            "http://127.0.0.1.example.org",
            "ftp://localhost",
            "https://a:b@example.org",
            "https://example.org/?a=1",
            "example.org",
            "",
        ];
        for bad in bad {
            assert!(Base::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(Base::parse("https://example.org/v4/").unwrap().at("/a?b"), "https://example.org/v4/a?b");
    }
}
