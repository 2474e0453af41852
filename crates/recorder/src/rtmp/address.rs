//! An RTMP address, taken apart. Pure. Its last part is most often a key: it is in no log and no error.

use std::fmt;

/// The longest address, in bytes.
const LONGEST: usize = 2_048;

/// Where a stream goes.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// Over TLS.
    pub is_secure: bool,
    /// A name, or an address without brackets.
    pub host: String,
    pub port: u16,
    /// What the receiver calls the application: all but the last part of the path.
    pub app: String,
    /// The stream's name: the last part, with what follows a question mark.
    pub name: String,
    /// As receivers expect it: the address up to the application.
    pub base: String,
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Address(…)")
    }
}

/// It is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be an address such as rtmp://HOST/APP/KEY or rtmps://HOST/APP/KEY")]
pub struct NoAddress;

impl Address {
    /// Reads one.
    ///
    /// # Errors
    /// If it is none of RTMP.
    pub fn read(url: &str) -> Result<Self, NoAddress> {
        let plain = |c: char| c.is_ascii_graphic() && !"\\\"<>^`{|}".contains(c);
        if url.len() > LONGEST || !url.chars().all(plain) {
            return Err(NoAddress);
        }
        let (scheme, rest) = url.split_once("://").ok_or(NoAddress)?;
        let is_secure = match scheme.to_ascii_lowercase().as_str() {
            "rtmp" => false,
            "rtmps" => true,
            _ => return Err(NoAddress),
        };
        let (place, path) = rest.split_once('/').ok_or(NoAddress)?;
        let (host, port) = match place.strip_prefix('[') {
            Some(bracketed) => bracketed.split_once(']').ok_or(NoAddress)?,
            None => place.split_at(place.find(':').unwrap_or(place.len())),
        };
        let usual = if is_secure { 443 } else { 1_935 };
        let port = match port.strip_prefix(':') {
            Some(port) => port.parse().map_err(|_| NoAddress)?,
            None if port.is_empty() => usual,
            None => return Err(NoAddress),
        };
        if host.is_empty() || host.contains(['@', '?', '#', '%']) {
            return Err(NoAddress);
        }
        let (path, query) = path.split_at(path.find('?').unwrap_or(path.len()));
        let (app, name) = path.rsplit_once('/').unwrap_or((path, ""));
        if app.is_empty() {
            return Err(NoAddress);
        }
        let scheme = if is_secure { "rtmps" } else { "rtmp" };
        let base = format!("{scheme}://{place}/{app}");
        let (host, app, name) = (host.to_owned(), app.to_owned(), format!("{name}{query}"));
        Ok(Self { is_secure, host, port, app, name, base })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_apart_as_receivers_expect() {
        let read = |url: &str| {
            let read = Address::read(url).unwrap();
            (read.is_secure, read.host, read.port, read.app, read.name, read.base)
        };
        let of = |secure, host: &str, port, app: &str, name: &str, base: &str| {
            (secure, host.to_owned(), port, app.to_owned(), name.to_owned(), base.to_owned())
        };
        assert_eq!(
            read("rtmp://a.rtmp.youtube.com/live2/abcd-efgh"),
            of(false, "a.rtmp.youtube.com", 1_935, "live2", "abcd-efgh", "rtmp://a.rtmp.youtube.com/live2")
        );
        assert_eq!(
            read("RTMPS://live.example.org:444/app/instance/key?a=b/c&d"),
            of(true, "live.example.org", 444, "app/instance", "key?a=b/c&d", "rtmps://live.example.org:444/app/instance")
        );
        assert_eq!(
            read("rtmps://[2001:db8::1]/app/key"),
            of(true, "2001:db8::1", 443, "app", "key", "rtmps://[2001:db8::1]/app")
        );
        assert_eq!(read("rtmp://10.0.0.1/live2"), of(false, "10.0.0.1", 1_935, "live2", "", "rtmp://10.0.0.1/live2"));
        for url in [
            "",
            "rtmp://",
            "rtmp:///live/key",
            "rtmp://host",
            "rtmp://host/",
            "rtmp://host:port/live/key",
            "rtmp://host:99999/live/key",
            "rtmp://user:pass@host/live/key",
            "rtmp://[::1/live/key",
            "rtmp://[::1]x/live/key",
            "rtmp://ho st/live/key",
            "rtmp://host/live/k\r\ney",
            "rtmpt://host/live/key",
            "https://host/live/key",
        ] {
            assert_eq!(Address::read(url), Err(NoAddress), "{url}");
        }
        assert!(Address::read(&format!("rtmp://host/live/{}", "k".repeat(LONGEST))).is_err());
        assert!(!format!("{:?}", Address::read("rtmp://host/live/key")).contains("key"));
    }
}
