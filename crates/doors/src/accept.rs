//! What a caller says it can read, in its `Accept` header.

use axum::http::{HeaderMap, header};

/// How much a caller wants this content type, from 0 to 1; `None` if it does not name it. `*/*` names nothing: who sends
/// that takes what comes.
pub fn wish(headers: &HeaderMap, content_type: &str) -> Option<f32> {
    let accepted = headers.get_all(header::ACCEPT).into_iter().filter_map(|value| value.to_str().ok());
    let wishes = accepted.flat_map(|value| value.split(',')).filter_map(|range| {
        let mut parts = range.split(';').map(str::trim);
        let named = parts.next()?.eq_ignore_ascii_case(content_type);
        let quality = parts.find_map(|part| part.strip_prefix("q=")?.trim().parse::<f32>().ok());
        named.then(|| quality.filter(|quality| quality.is_finite()).unwrap_or(1.0).clamp(0.0, 1.0))
    });
    wishes.reduce(f32::max)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn what_is_named_is_wanted_as_much_as_is_said() {
        let prometheus =
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        let ask = |accept: &'static str, content_type: &str| {
            wish(&HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(accept))]), content_type)
        };
        assert_eq!(ask(prometheus, "application/openmetrics-text"), Some(0.6));
        assert_eq!(ask(prometheus, "text/plain"), Some(0.5));
        assert_eq!(ask(prometheus, "text/html"), None);
        assert_eq!(ask("TEXT/HTML, text/html;q=0.2", "text/html"), Some(1.0));
        assert_eq!(ask("text/html;q=0", "text/html"), Some(0.0));
        assert_eq!(ask("text/html;q=NaN", "text/html"), Some(1.0));
        assert_eq!(wish(&HeaderMap::new(), "text/html"), None);
    }
}
