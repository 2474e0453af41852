//! What a message of the chat must look like, by its kind.
//! A client parses what it is sent without asking, and one message it cannot parse costs it the whole history (read in web
//! SDK 2.0.2): so one person's malformed message must not reach the others.
//! Next: `salon_core::session`, who may say it and how often.

use salon_core::event::{ChatContent, ChatKind};
use serde_json::{Map, Value};

use crate::signaling::trouble::Trouble;
use crate::web_address::is_web_address;

pub fn read(payload_type: i32, payload: String) -> Result<ChatContent, Trouble> {
    let kind = match payload_type {
        0 => ChatKind::Text,
        1 => ChatKind::Image,
        2 => ChatKind::File,
        3 => ChatKind::Custom,
        _ => return Err(Trouble::Malformed("no chat message is of this type")),
    };
    let wrong = match kind {
        ChatKind::Text => payload.is_empty().then_some("the chat message is empty"),
        ChatKind::Image => (!is_web_address(&payload)).then_some("an image message is the http or https address of an image"),
        ChatKind::File => (!object(&payload).is_some_and(|file| is_file(&file)))
            .then_some("a file message is a JSON object with link (http or https), name and size"),
        ChatKind::Custom => object(&payload).is_none().then_some("a custom message is a JSON object"),
    };
    match wrong {
        Some(what) => Err(Trouble::Malformed(what)),
        None => Ok(ChatContent { kind, payload }),
    }
}

fn object(payload: &str) -> Option<Map<String, Value>> {
    serde_json::from_str(payload).ok()
}

fn is_file(file: &Map<String, Value>) -> bool {
    let text = |key: &str| file.get(key).and_then(Value::as_str).unwrap_or_default();
    is_web_address(text("link")) && !text("name").is_empty() && file.get("size").is_some_and(Value::is_u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_form() {
        let good = [
            (0, "hello"),
            (1, "https://example.org/a.png"),
            (1, "http://127.0.0.1:8787/files/chat/x?signature=y"),
            (2, r#"{"link":"https://example.org/a","name":"a.pdf","size":0}"#),
            (3, r#"{"message":"hi","files":[]}"#),
            (3, "{}"),
        ];
        for (kind, payload) in good {
            assert!(read(kind, payload.to_owned()).is_ok(), "{kind} {payload}");
        }
        let bad = [
            (0, ""),
            (4, "x"),
            (-1, "x"),
            (1, ""),
            (1, "a.png"),
            (1, "javascript:alert(1)"),
            (1, "data:image/png;base64,AA=="),
            (1, "https://a b"),
            (1, "https://"),
            (2, ""),
            (2, "null"),
            (2, "[]"),
            (2, "https://example.org/a"),
            (2, r#"{"link":"javascript:alert(1)","name":"a","size":1}"#),
            (2, r#"{"link":"https://example.org/a","size":1}"#),
            (2, r#"{"link":"https://example.org/a","name":"","size":1}"#),
            (2, r#"{"link":"https://example.org/a","name":"a"}"#),
            (2, r#"{"link":"https://example.org/a","name":"a","size":"1"}"#),
            (2, r#"{"link":"https://example.org/a","name":"a","size":-1}"#),
            (3, ""),
            (3, "hello"),
            (3, "null"),
            (3, "[1]"),
        ];
        for (kind, payload) in bad {
            assert!(read(kind, payload.to_owned()).is_err(), "{kind} {payload}");
        }
    }
}
