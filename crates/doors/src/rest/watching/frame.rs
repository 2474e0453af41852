//! What a stream says, as `text/event-stream` has it (HTML, section 9.2).
//! Invariant: only what is in the record has an id, so that nothing else moves the point from which a client goes on.

use axum::body::Bytes;
use salon_core::SessionId;
use salon_wire::rest::people::{Bye, ByeBecause};
use serde::Serialize;

/// One event, encoded once for all who hear it.
#[derive(Debug, Clone)]
pub struct Frame {
    pub what: What,
    pub text: Bytes,
}

/// What those who pass it on need to know of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// The event with this number, which follows the other.
    Step { prev: u64, seq: u64 },
    /// The same, and the session is over.
    End { prev: u64, seq: u64 },
    /// Not a step: a state, or something that is not in the record.
    State,
    /// The last thing that is said.
    Bye,
}

impl Frame {
    /// The number of its event.
    pub fn seq(&self) -> Option<u64> {
        match self.what {
            What::Step { seq, .. } | What::End { seq, .. } => Some(seq),
            What::State | What::Bye => None,
        }
    }

    /// The number of the event before it.
    pub fn prev(&self) -> Option<u64> {
        match self.what {
            What::Step { prev, .. } | What::End { prev, .. } => Some(prev),
            What::State | What::Bye => None,
        }
    }
}

/// How long clients wait before they come back, in milliseconds; said first.
pub const RETRY: Bytes = Bytes::from_static(b"retry: 2000\n\n");

/// Said when nothing else was for a while, so that both ends see whether the other is there.
pub const BEAT: Bytes = Bytes::from_static(b": still here\n\n");

/// An event of the record.
pub fn numbered(name: &str, session: &SessionId, seq: u64, data: &impl Serialize) -> Bytes {
    text(format!("event: {name}\nid: {session}:{seq}\ndata: "), data)
}

/// Anything else.
pub fn aside(name: &str, data: &impl Serialize) -> Bytes {
    text(format!("event: {name}\ndata: "), data)
}

/// Anything else, whose data is an object with one list of what is encoded already.
pub fn list<'i>(name: &str, items: impl Iterator<Item = &'i [u8]>) -> Bytes {
    let mut bytes = format!("event: {name}\ndata: {{\"{name}\":[").into_bytes();
    for (at, item) in items.enumerate() {
        if at > 0 {
            bytes.push(b',');
        }
        bytes.extend_from_slice(item);
    }
    bytes.extend_from_slice(b"]}\n\n");
    bytes.into()
}

/// The last thing that a stream says.
pub fn bye(reason: ByeBecause) -> Bytes {
    aside("bye", &Bye { reason, resume: reason != ByeBecause::KeyRevoked })
}

fn text(head: String, data: &impl Serialize) -> Bytes {
    let mut bytes = head.into_bytes();
    // JSON has no line breaks of its own, so it is one line of data.
    serde_json::to_writer(&mut bytes, data).expect("what is told is plain data");
    bytes.extend_from_slice(b"\n\n");
    bytes.into()
}

/// Where a client is in the record of a session: the id of what it heard last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    pub session: SessionId,
    pub seq: u64,
}

impl Cursor {
    pub fn read(text: &str) -> Option<Self> {
        let (session, seq) = text.trim().rsplit_once(':')?;
        Some(Self { session: SessionId::parse(session).ok()?, seq: seq.parse().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line_of_data() {
        let session = SessionId::parse("s").unwrap();
        let said = numbered("change", &session, 7, &"line\nbreak\r");
        assert_eq!(said, "event: change\nid: s:7\ndata: \"line\\nbreak\\r\"\n\n");
        assert_eq!(bye(ByeBecause::TooSlow), "event: bye\ndata: {\"reason\":\"too_slow\",\"resume\":true}\n\n");
    }

    #[test]
    fn a_list_is_what_its_items_are() {
        assert_eq!(list("x", [b"1".as_slice(), b"{}"].into_iter()), "event: x\ndata: {\"x\":[1,{}]}\n\n");
        assert_eq!(list("x", [].into_iter()), "event: x\ndata: {\"x\":[]}\n\n");
    }

    #[test]
    fn a_client_goes_on_from_an_id() {
        let at = |text| Cursor::read(text).map(|cursor| (cursor.session.to_string(), cursor.seq));
        assert_eq!(at("s:7"), Some(("s".to_owned(), 7)));
        for bad in ["", "s", "s:", "s:-1", ":7", "s:7x", "s\0:7"] {
            assert_eq!(at(bad), None, "{bad:?}");
        }
    }
}
