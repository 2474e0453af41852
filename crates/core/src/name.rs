//! Names that people read: of people, meetings and apps.
//! Invariant: what `checked` lets through shows something, on one line, and does not turn the text around it.
//! Every script and emoji is welcome, with the joiners and marks they need.

use std::fmt;

/// What is wrong with a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing of it can be seen.
    Blank,
    /// It has line breaks or control characters.
    Control,
    /// It has characters that turn the direction of other text, by which one name passes for another.
    Override,
}

/// Goes on from the name of a field, as in `"title" must not be blank`.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Fault::Blank => "must not be blank",
            Fault::Control => "must not have line breaks or other control characters",
            Fault::Override => "must not have characters that turn the direction of other text",
        })
    }
}

/// The name without blanks around it.
///
/// # Errors
/// The first [`Fault`] found.
pub fn checked(name: &str) -> Result<&str, Fault> {
    let name = name.trim();
    if name.chars().any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')) {
        return Err(Fault::Control);
    }
    // Embeddings, overrides and isolates. The marks U+200E, U+200F and U+061C are letters' own business.
    if name.chars().any(|c| matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')) {
        return Err(Fault::Override);
    }
    if name.chars().all(is_unseen) { Err(Fault::Blank) } else { Ok(name) }
}

/// Characters that show nothing by themselves (Unicode's Default_Ignorable_Code_Point, and blanks).
fn is_unseen(c: char) -> bool {
    c.is_whitespace()
        || matches!(c,
            '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}' | '\u{180B}'..='\u{180F}'
            | '\u{200B}'..='\u{200F}' | '\u{2060}'..='\u{206F}' | '\u{2800}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}'
            | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFF8}' | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_script_and_emoji_is_a_name() {
        let family = "👩\u{200D}👩\u{200D}👧";
        let scotland = "\u{1F3F4}\u{E0067}\u{E0062}\u{E0073}\u{E0063}\u{E0074}\u{E007F}";
        let persian = "می\u{200C}خواهم";
        for name in ["Ada", "Ö", "李", "עדה\u{200E} (Ada)", family, scotland, persian, "नमस्ते", "O'Neil, Jr.", "🙂"]
        {
            assert_eq!(checked(name), Ok(name));
        }
        assert_eq!(checked(" \u{3000}Ada\t"), Ok("Ada"));
    }

    #[test]
    fn what_hides_or_deceives_is_none() {
        for blank in ["", "  ", "\u{200B}", "\u{2800}\u{3164}", "\u{FE0F}", " \u{200D} "] {
            assert_eq!(checked(blank), Err(Fault::Blank), "{blank:?}");
        }
        for control in ["Ada\nhost", "A\0", "A\u{7F}", "A\u{9B}1m", "A\u{2028}B", "A\tB"] {
            assert_eq!(checked(control), Err(Fault::Control), "{control:?}");
        }
        for turned in ["Ada\u{202E}nimda", "\u{2066}Ada\u{2069}", "\u{202A}A"] {
            assert_eq!(checked(turned), Err(Fault::Override), "{turned:?}");
        }
    }
}
