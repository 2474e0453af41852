//! Small rules that several resources share: bounded text, addresses, and merging what is sent into what is there.
//! Every bound here exists because the value is stored, searched, or sent on to every client of a meeting.

use salon_core::name::{Fault, checked};
use serde_json::Value;

use crate::rest::error::ApiError;
use crate::web_address::is_picture_address;

/// Longest title of a meeting, in characters.
pub const MAX_TITLE_CHARS: usize = 512;

/// Longest `custom_participant_id`, in characters. It is sent to everyone in the meeting.
pub const MAX_CUSTOM_ID_CHARS: usize = 256;

/// Longest address of a picture, in characters.
pub const MAX_URL_CHARS: usize = 2_048;

/// Checks the length of a text, in characters.
pub fn text(name: &str, text: &str, min: usize, max: usize) -> Result<(), ApiError> {
    // Bytes first: counting the characters of a megabyte is not free.
    let chars = if text.len() <= max { text.len().max(1) } else { text.chars().take(max + 1).count() };
    if text.is_empty() && min > 0 {
        return Err(ApiError::invalid(name, "is not allowed to be empty"));
    }
    if chars > max {
        return Err(ApiError::invalid(name, format_args!("must not be longer than {max} characters")));
    }
    Ok(())
}

/// The name without blanks around it, checked: one that people can read and that deceives nobody.
pub fn name<'n>(field: &str, name: &'n str, max: usize) -> Result<&'n str, ApiError> {
    text(field, name, 1, max)?;
    checked(name).map_err(|fault| ApiError::invalid(field, fault))
}

/// A name that may be left out: one that is empty or blank is none.
pub fn name_if_any(field: &str, given: Option<String>, max: usize) -> Result<Option<String>, ApiError> {
    let given = given.filter(|given| checked(given) != Err(Fault::Blank));
    given.map(|given| name(field, &given, max).map(str::to_owned)).transpose()
}

/// Checks an address that browsers will fetch: absolute, and of a scheme that cannot run anything.
pub fn url(name: &str, url: &str) -> Result<(), ApiError> {
    text(name, url, 1, MAX_URL_CHARS)?;
    if is_picture_address(url) { Ok(()) } else { Err(ApiError::invalid(name, "must be a valid uri")) }
}

/// Lays `patch` over `whole`: objects are merged key by key, everything else is replaced.
pub fn merge(whole: &mut Value, patch: Value) {
    match (whole, patch) {
        (Value::Object(whole), Value::Object(patch)) => {
            for (key, value) in patch {
                merge(whole.entry(key).or_insert(Value::Null), value);
            }
        }
        (whole, patch) => *whole = patch,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn text_is_counted_in_characters() {
        assert!(text("name", "äöü", 1, 3).is_ok());
        assert!(text("name", "äöüß", 1, 3).is_err());
        assert!(text("name", "", 1, 3).is_err());
        assert!(text("name", "", 0, 3).is_ok());
    }

    #[test]
    fn a_name_that_may_be_left_out_is_none_when_blank() {
        let any = |given: &str| name_if_any("name", Some(given.to_owned()), 5).ok();
        assert_eq!(any(" Ada "), Some(Some("Ada".to_owned())));
        assert_eq!((any(""), any(" \u{200B}")), (Some(None), Some(None)));
        assert_eq!((any("A\nB"), any("Adalbert")), (None, None));
    }

    #[test]
    fn a_patch_goes_as_deep_as_it_is() {
        let mut whole = json!({"a": {"b": 1, "c": [1, 2]}, "d": 1});
        merge(&mut whole, json!({"a": {"c": [3], "e": null}, "f": {"g": 1}}));
        assert_eq!(whole, json!({"a": {"b": 1, "c": [3], "e": null}, "d": 1, "f": {"g": 1}}));
    }
}
