//! What people write, in tables that somebody opens with a spreadsheet. Pure.
//! Invariant: nothing of it is run there.

/// A text as a cell may begin. Spreadsheets take one for a formula by how it begins, quoted or not, unless that is an apostrophe.
pub fn no_formula(mut text: String) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        text.insert(0, '\'');
    }
    text
}
