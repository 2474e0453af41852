//! What a content type looks like (RFC 6838).

/// Whether this is a content type, without parameters.
pub fn is_content_type(kind: &str) -> bool {
    kind.split_once('/').is_some_and(|(top, sub)| is_token(top) && is_token(sub))
}

/// Either half of one.
pub fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&b))
}
