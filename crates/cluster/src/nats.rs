//! What NATS core says on a connection, and what is said to it: as much of it as hints need. Pure.
//! Source: the client protocol in the NATS documentation ("NATS Protocol"), as `nats-server` 2.9 speaks it.
//! Invariant: what a server says beyond its bounds is an error, and nothing of it is kept.

use bytes::{Buf, BytesMut};
use serde_json::json;

/// The longest line but for what the server says of itself, which names all servers of its cluster.
const MAX_LINE: usize = 64 * 1024;

/// The longest message that is anything to us.
const MAX_MESSAGE: usize = 1_024;

/// One thing that the server says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// What it is; the first of all.
    Info,
    /// It wants to know whether we live.
    Ping,
    Message(String),
    /// Something is wrong, in its words.
    Error(String),
    /// What needs no answer.
    Fine,
}

/// The server does not speak this protocol.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is no NATS server: {0}")]
pub(crate) struct Garbled(&'static str);

/// Takes the next thing out of what was received; `None` if it is not all there.
pub(crate) fn next(received: &mut BytesMut) -> Result<Option<Said>, Garbled> {
    let Some(end) = received.windows(2).position(|pair| pair == b"\r\n") else {
        return if received.len() > MAX_LINE { Err(Garbled("a line has no end")) } else { Ok(None) };
    };
    let line = std::str::from_utf8(&received[..end]).map_err(|_| Garbled("a line is not text"))?;
    let (word, rest) = line.split_once([' ', '\t']).unwrap_or((line, ""));
    let said = match word.to_ascii_uppercase().as_str() {
        "MSG" => {
            let bytes = rest.split_ascii_whitespace().last().and_then(|bytes| bytes.parse().ok());
            return message(end, bytes.ok_or(Garbled("a message has no length"))?, received);
        }
        "INFO" => Said::Info,
        "PING" => Said::Ping,
        "-ERR" => Said::Error(rest.trim_matches('\'').to_owned()),
        "+OK" | "PONG" => Said::Fine,
        _ => return Err(Garbled("it says what no NATS server says")),
    };
    received.advance(end + 2);
    Ok(Some(said))
}

/// A message of so many bytes, whose line ends at `end`.
fn message(end: usize, bytes: usize, received: &mut BytesMut) -> Result<Option<Said>, Garbled> {
    if bytes > MAX_MESSAGE {
        return Err(Garbled("a message is longer than any of ours"));
    }
    if received.len() < end + 2 + bytes + 2 {
        return Ok(None);
    }
    let text = String::from_utf8_lossy(&received[end + 2..][..bytes]).into_owned();
    received.advance(end + 2 + bytes + 2);
    Ok(Some(Said::Message(text)))
}

/// Who we are to a NATS server. A password without a user is a token.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Login {
    pub user: Option<String>,
    pub password: Option<String>,
}

/// Says hello, and subscribes to a subject.
pub(crate) fn hello(login: &Login, name: &str, subject: &str) -> String {
    let (token, password) = match login.user {
        None => (&login.password, &None),
        Some(_) => (&None, &login.password),
    };
    let hello = json!({
        "verbose": false, "pedantic": false, "tls_required": false, "lang": "rust", "version": env!("CARGO_PKG_VERSION"),
        "name": name, "protocol": 1, "echo": true, "headers": false,
        "user": login.user, "pass": password, "auth_token": token,
    });
    format!("CONNECT {hello}\r\nSUB {subject} 1\r\n")
}

pub(crate) fn publish(subject: &str, text: &str) -> String {
    format!("PUB {subject} {}\r\n{text}\r\n", text.len())
}

pub(crate) const PONG: &str = "PONG\r\n";

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str, piece: usize) -> Result<Vec<Said>, Garbled> {
        let (mut received, mut said) = (BytesMut::new(), Vec::new());
        for piece in text.as_bytes().chunks(piece) {
            received.extend_from_slice(piece);
            while let Some(next) = next(&mut received)? {
                said.push(next);
            }
        }
        assert!(received.is_empty(), "nothing is left");
        Ok(said)
    }

    #[test]
    fn what_a_server_says_is_read_however_it_comes() {
        let text = "INFO {\"server_id\":\"x\",\"headers\":true} \r\nPONG\r\nping\r\n+OK\r\n\
                    MSG salon.a 1 7\r\nbeat n1\r\nMSG salon.a 1 reply.to 4\r\n\r\n\r\n\r\n-ERR 'Authorization Violation'\r\n";
        for piece in [1, 2, 3, 1_000] {
            let said = all(text, piece).unwrap();
            let [Said::Info, Said::Fine, Said::Ping, Said::Fine, one, two, error] = &said[..] else { panic!("{said:?}") };
            assert_eq!((one, two), (&Said::Message("beat n1".to_owned()), &Said::Message("\r\n\r\n".to_owned())));
            assert_eq!(*error, Said::Error("Authorization Violation".to_owned()));
        }
    }

    #[test]
    fn what_is_no_nats_server_is_not_listened_to() {
        for text in ["HTTP/1.1 400 Bad Request\r\n", "MSG a 1 x\r\n", "MSG a 1 99999\r\n", "MSG\r\n", "\u{ff}\r\n"] {
            assert!(all(text, 1_000).is_err(), "{text}");
        }
        assert!(all(&"x".repeat(MAX_LINE + 1), 1_000).is_err());
    }

    #[test]
    fn who_one_is_is_said_as_the_server_wants_it() {
        let login =
            |user: Option<&str>, password: &str| Login { user: user.map(str::to_owned), password: Some(password.to_owned()) };
        let said = |login: Login| hello(&login, "n1", "s.>");
        let ana = said(login(Some("ana"), "a\"b"));
        assert!(
            ana.contains(r#""auth_token":null"#) && ana.contains(r#""pass":"a\"b","#) && ana.contains(r#""user":"ana""#),
            "{ana}"
        );
        let token = said(login(None, "t"));
        assert!(token.contains(r#""auth_token":"t""#) && token.contains(r#""pass":null"#), "{token}");
        assert!(said(Login::default()).ends_with("\r\nSUB s.> 1\r\n"));
        assert_eq!(publish("s.a", "beat n1"), "PUB s.a 7\r\nbeat n1\r\n");
    }
}
