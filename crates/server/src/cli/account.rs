//! Which account a command is about.

use salon_core::AccountId;

/// Reads an account's id.
pub(super) fn account(text: &str) -> Result<AccountId, String> {
    AccountId::parse(text).map_err(|err| err.to_string())
}
