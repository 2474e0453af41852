//! Text that must not reach a log by accident: tokens, storage keys, relay passwords.
//! Plain JSON on the wire; in debug output only its presence shows.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A credential. Reading it is deliberate: `secret.0`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Secret(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_sent_but_not_printed() {
        let secret = Secret("hunter2".to_owned());
        assert_eq!(serde_json::to_string(&secret).expect("plain data"), r#""hunter2""#);
        assert_eq!(format!("{secret:?}"), "Secret(…)");
    }
}
