//! Who writes down what is said in a piece of sound: a program of the operator's, or a service.
//! Invariant: whatever it says is bounded, plain text; what it says instead of an answer is for the log and holds no secret.
//! Next: `command.rs` and `http.rs`.

use std::path::Path;
use std::time::Duration;

use crate::command;
use crate::http::Service;
use crate::sound::{Said, Sound};

/// The longest text of one line, in characters, and lines of one piece at most.
const MAX_TEXT_CHARS: usize = 4_000;
const MAX_LINES: usize = 200;

/// An engine may take so long for a piece, and so many times its length.
const AT_LEAST: Duration = Duration::from_secs(60);
const TIMES: u32 = 10;

/// Who writes.
#[derive(Debug, Clone)]
pub enum Engine {
    /// A program with its arguments.
    Command(Vec<String>),
    Http(Service),
}

impl Engine {
    /// Writes down what is said; `so_far` is told what it may be while it goes on, by engines that say so.
    ///
    /// # Errors
    /// Why it cannot be, for the log.
    pub async fn write(&self, sound: &Sound, so_far: impl Fn(String) + Send + 'static) -> anyhow::Result<Vec<Said>> {
        let within = AT_LEAST + Duration::from_millis(sound.length_ms.max(0).unsigned_abs()) * TIMES;
        let said = match self {
            Self::Command(words) => command::write(words, sound, within, move |text| so_far(plain(&text))).await?,
            Self::Http(service) => service.transcribe(sound, within).await?,
        };
        Ok(said.into_iter().filter_map(|said| tidy(said, sound.length_ms)).take(MAX_LINES).collect())
    }
}

/// The engine's program, if it is not where it should be.
pub fn is_missing(engine: &Engine) -> Option<&str> {
    let Engine::Command(words) = engine else { return None };
    let program = words.first()?;
    salon_recordings::find_program(Path::new(program)).is_none().then_some(program)
}

/// Times within the piece, and a text that says something.
fn tidy(said: Said, length_ms: i64) -> Option<Said> {
    let text = plain(&said.text);
    let start_ms = said.start_ms.clamp(0, length_ms);
    (!text.is_empty()).then(|| Said { start_ms, end_ms: said.end_ms.clamp(start_ms, length_ms), text })
}

/// One line of text.
fn plain(text: &str) -> String {
    let spaced: String = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    let words: Vec<&str> = spaced.split_whitespace().collect();
    words.join(" ").chars().take(MAX_TEXT_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_one_line_and_its_times_are_of_the_piece() {
        let said = |start_ms, end_ms, text: &str| tidy(Said { start_ms, end_ms, text: text.to_owned() }, 1_000);
        let line = |start_ms, end_ms, text: &str| Some(Said { start_ms, end_ms, text: text.to_owned() });
        assert_eq!(said(-5, 5_000, " Good\r\n\tmorning\u{2028}all \0"), line(0, 1_000, "Good morning all"));
        assert_eq!(said(700, 20, "x"), line(700, 700, "x"));
        assert_eq!(said(0, 1, " \n "), None);
        assert_eq!(plain(&"é".repeat(9_000)).chars().count(), MAX_TEXT_CHARS);
    }
}
