//! Services of the operator's, which answer as OpenAI's do: sound to text, and a conversation for summaries.
//! Where they are the operator says, so private networks are as good as others. Invariant: a key is sent there and nowhere
//! else: redirects are not followed, and no error has an address in it.

use std::error::Error as _;
use std::fmt;
use std::time::Duration;

use anyhow::{Context, bail};
use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use serde::Deserialize;
use serde_json::json;

use crate::sound::{Said, Sound};

/// What is read of an answer, in bytes.
const MAX_ANSWER: usize = 4 << 20;

/// One of them.
#[derive(Clone)]
pub struct Service {
    client: reqwest::Client,
    url: String,
    /// Empty: it wants none.
    key: String,
    /// Empty: it has one.
    model: String,
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Service(..)")
    }
}

/// What was said in some sound.
#[derive(Deserialize)]
struct Transcription {
    #[serde(default)]
    text: String,
    segments: Option<Vec<Segment>>,
}

/// A part of it, in seconds.
#[derive(Deserialize)]
struct Segment {
    #[serde(default)]
    start: f64,
    #[serde(default)]
    end: f64,
    #[serde(default)]
    text: String,
}

#[derive(Deserialize)]
struct Conversation {
    choices: Vec<Choice>,
}

#[derive(Deserialize)]
struct Choice {
    message: Message,
}

#[derive(Deserialize)]
struct Message {
    content: Option<String>,
}

impl Service {
    /// # Errors
    /// If the system has no certificates, or the like.
    pub fn new(url: &str, key: &str, model: &str) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder()
            .user_agent(concat!("Salon/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .no_proxy()
            .http1_only()
            .build()?;
        Ok(Self { client, url: url.to_owned(), key: key.to_owned(), model: model.to_owned() })
    }

    /// What is said in a WAV.
    ///
    /// # Errors
    /// Why it cannot be had, for the log.
    pub(crate) async fn transcribe(&self, sound: &Sound, within: Duration) -> anyhow::Result<Vec<Said>> {
        let wav = tokio::fs::read(&sound.path).await.context("the sound cannot be read")?;
        // Newer models of OpenAI's tell no times.
        let format = if self.model.starts_with("gpt-") { "json" } else { "verbose_json" };
        let keywords = sound.how.keywords.join(", ");
        // It takes languages without countries, and finds out which it is where none is said.
        let language = sound.how.language.split('-').next().unwrap_or_default();
        let language = if language == "multi" { "" } else { language };
        let fields = [("model", &*self.model), ("response_format", format), ("language", language), ("prompt", &*keywords)];
        let fields = fields.into_iter().filter(|(_, value)| !value.is_empty());
        let boundary = uuid::Uuid::new_v4().simple().to_string();
        let answer =
            self.ask(&format!("multipart/form-data; boundary={boundary}"), form(&boundary, fields, &wav), within).await?;
        let Transcription { text, segments } = serde_json::from_slice(&answer).context("it answers with something else")?;
        let ms = |seconds: f64| (seconds * 1_000.0) as i64;
        Ok(match segments {
            Some(segments) if !segments.is_empty() => {
                let said = |part: Segment| Said { start_ms: ms(part.start), end_ms: ms(part.end), text: part.text };
                segments.into_iter().map(said).collect()
            }
            _ => vec![Said { start_ms: 0, end_ms: sound.length_ms, text }],
        })
    }

    /// What it says to this, being told what it is.
    ///
    /// # Errors
    /// Why it cannot be had, for people.
    pub(crate) async fn converse(&self, role: &str, said: &str, within: Duration) -> anyhow::Result<String> {
        let mut body =
            json!({ "messages": [{ "role": "system", "content": role }, { "role": "user", "content": said }], "stream": false });
        if !self.model.is_empty() {
            body["model"] = self.model.as_str().into();
        }
        let answer = self.ask("application/json", body.to_string().into_bytes(), within).await?;
        let Conversation { choices } = serde_json::from_slice(&answer).context("it answers with something else")?;
        let text = choices.into_iter().next().and_then(|choice| choice.message.content).unwrap_or_default();
        let text = text.trim();
        if text.is_empty() {
            bail!("it says nothing");
        }
        Ok(text.to_owned())
    }

    async fn ask(&self, kind: &str, body: Vec<u8>, within: Duration) -> anyhow::Result<Vec<u8>> {
        let mut request = self.client.post(&self.url).timeout(within).header(CONTENT_TYPE, kind).body(body);
        if !self.key.is_empty() {
            request = request.bearer_auth(&self.key);
        }
        let mut answer = request.send().await.map_err(explain)?;
        let status = answer.status();
        let mut read = Vec::new();
        while let Some(part) = answer.chunk().await.map_err(explain)? {
            read.extend(part);
            if read.len() > MAX_ANSWER {
                bail!("its answer is longer than {MAX_ANSWER} bytes");
            }
        }
        if !status.is_success() {
            // It may repeat what it was sent, but never the key: that was in no body.
            let why: String = String::from_utf8_lossy(&read).chars().filter(|letter| !letter.is_control()).take(200).collect();
            bail!("it answers {}: {}", status.as_u16(), why.replace(&self.key_or_nothing(), "***"));
        }
        Ok(read)
    }

    /// What must not be repeated; something that is in no text if there is no key.
    fn key_or_nothing(&self) -> String {
        if self.key.is_empty() { "\u{0}".to_owned() } else { self.key.clone() }
    }
}

/// A form with a file in it (RFC 7578). Values are ours or a meeting's, and may hold anything but the boundary, which is random.
fn form<'a>(boundary: &str, fields: impl Iterator<Item = (&'a str, &'a str)>, wav: &[u8]) -> Vec<u8> {
    let mut form = Vec::with_capacity(wav.len() + 1_024);
    for (name, value) in fields {
        let field = format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        form.extend(field.into_bytes());
    }
    let file = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"speech.wav\"\r\nContent-Type: audio/wav\r\n\r\n"
    );
    form.extend(file.into_bytes());
    form.extend(wav);
    form.extend(format!("\r\n--{boundary}--\r\n").into_bytes());
    form
}

/// Why there is no answer, without the address: that may hold a secret.
fn explain(error: reqwest::Error) -> anyhow::Error {
    let what = match () {
        () if error.is_timeout() => "it does not answer in time",
        () if error.is_connect() => "it cannot be reached",
        () => "it does not answer",
    };
    let mut root: Option<&dyn std::error::Error> = error.source();
    while let Some(source) = root.and_then(std::error::Error::source) {
        root = Some(source);
    }
    root.map_or_else(|| anyhow::anyhow!(what), |root| anyhow::anyhow!("{what}: {root}"))
}
