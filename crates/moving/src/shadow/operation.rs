//! What a request is for, without what it is about: the name under which it is counted, and how it is shown.
//! Pure. Invariant: neither holds a credential.

use axum::http::request::Parts;

/// Longest query that is shown.
const MAX_SHOWN: usize = 500;

/// The method and path, with ids taken out: `GET …/kit/{app}/meetings/{id}`.
pub fn of(parts: &Parts) -> String {
    let mut name = parts.method.as_str().to_owned();
    name.push(' ');
    let mut before = "";
    for part in parts.uri.path().split('/').skip(1) {
        name.push('/');
        name.push_str(match (before, part) {
            ("accounts", _) => "{account}",
            ("kit", part) if part != "apps" => "{app}",
            (_, part) if is_id(part) => "{id}",
            (_, part) => part,
        });
        before = part;
    }
    name
}

/// The path and query as the caller sent them, less what may be a secret.
pub fn shown(parts: &Parts) -> String {
    let mut shown = parts.uri.path().to_owned();
    for (place, pair) in parts.uri.query().into_iter().flat_map(|query| query.split('&')).enumerate() {
        shown.push(if place == 0 { '?' } else { '&' });
        let key = pair.split('=').next().unwrap_or_default();
        let small = key.to_ascii_lowercase();
        let hides = ["token", "key", "secret", "sig", "auth", "pass", "cred"].iter().any(|word| small.contains(word));
        shown.push_str(if hides { key } else { pair });
    }
    shown.chars().take(MAX_SHOWN).collect()
}

/// UUIDs and the like: nothing that is a word of the API has a digit in it and is as long.
fn is_id(part: &str) -> bool {
    part.len() >= 16 && part.bytes().any(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn parts(uri: &str) -> Parts {
        Request::get(uri).body(()).unwrap().into_parts().0
    }

    #[test]
    fn requests_are_counted_by_what_they_are_for() {
        let kit = "/client/v4/accounts/023e105f4ecef8ad9ca31a8372d0c353/realtime/kit";
        let name = |rest: &str| of(&parts(&format!("{kit}{rest}")));
        let expected = "GET /client/v4/accounts/{account}/realtime/kit";
        assert_eq!(name("/apps"), format!("{expected}/apps"));
        assert_eq!(name("/dev/meetings?page_no=2"), format!("{expected}/{{app}}/meetings"));
        let meeting = "/dev/meetings/0190b7c4-4a2e-7d52-9a10-5d0c0a6f8f7e/active-session";
        assert_eq!(name(meeting), format!("{expected}/{{app}}/meetings/{{id}}/active-session"));
    }

    #[test]
    fn no_secret_is_shown() {
        assert_eq!(shown(&parts("/a?page_no=1&apiKey=s&X-Amz-Signature=s&token=s")), "/a?page_no=1&apiKey&X-Amz-Signature&token");
    }
}
