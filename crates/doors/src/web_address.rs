//! Whether a text is the address of something that browsers fetch.
//! Invariant: no address that passes can run anything.

/// The address of something on the web.
pub fn is_web_address(url: &str) -> bool {
    is_address(url, &["https://", "http://"])
}

/// The address of a picture: on the web, or the picture itself.
pub fn is_picture_address(url: &str) -> bool {
    is_address(url, &["https://", "http://", "data:image/"])
}

fn is_address(url: &str, schemes: &[&str]) -> bool {
    let begins = |scheme: &&&str| url.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    let plain = !url.chars().any(|letter| letter.is_whitespace() || letter.is_control());
    schemes.iter().find(begins).is_some_and(|scheme| plain && url.len() > scheme.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_cannot_run_anything() {
        for good in ["https://example.org/a.png", "http://x", "HTTPS://EXAMPLE.ORG", "data:image/png;base64,AA=="] {
            assert!(is_picture_address(good), "{good}");
        }
        for bad in ["", "a.png", "javascript:alert(1)", "https://", "https://a b", "data:text/html,x", "ä:"] {
            assert!(!is_picture_address(bad), "{bad}");
        }
        assert!(is_web_address("https://example.org/a.png") && !is_web_address("data:image/png;base64,AA=="));
    }
}
