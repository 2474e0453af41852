//! An engine that really hears: it names the tones in the sound it is given. As a program it is this test's own binary, run
//! again for one test that is nobody's; as a service it answers as OpenAI's do.

use std::io::Read as _;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What may be heard, in hertz.
const TONES: [f32; 4] = [400.0, 700.0, 1_000.0, 1_300.0];

/// Samples of what is judged at once: 40 ms.
const FRAME: usize = 640;

/// A stretch of one tone, in milliseconds: from when to when, and which.
type Heard = (usize, usize, u32);

/// The tones in a WAV of 16 kHz, those of at least 200 ms.
fn hear(wav: &[u8]) -> Vec<Heard> {
    assert_eq!((&wav[..4], &wav[8..16]), (&b"RIFF"[..], &b"WAVEfmt "[..]), "it is no WAV");
    assert_eq!(u32::from_le_bytes(wav[24..28].try_into().unwrap()), 16_000);
    let length = u32::from_le_bytes(wav[40..44].try_into().unwrap()) as usize;
    assert_eq!(length, wav.len() - 44, "it is not whole");
    let samples: Vec<f32> =
        wav[44..].chunks_exact(2).map(|two| f32::from(i16::from_le_bytes([two[0], two[1]])) / 32_768.0).collect();
    let mut heard: Vec<Heard> = Vec::new();
    for (n, frame) in samples.chunks_exact(FRAME).enumerate() {
        let strength = |hertz: &f32| crate::sound::tone(frame, hertz * 3.0);
        let loudest = TONES.iter().max_by(|one, other| strength(one).total_cmp(&strength(other))).unwrap();
        if strength(loudest) < 0.1 {
            continue;
        }
        match heard.last_mut() {
            Some((_, end, hertz)) if *end + 120 >= n * 40 && *hertz == *loudest as u32 => *end = n * 40 + 40,
            _ => heard.push((n * 40, n * 40 + 40, *loudest as u32)),
        }
    }
    heard.retain(|(begin, end, _)| end - begin >= 200);
    heard
}

/// The program: how it is started.
pub fn program() -> Vec<String> {
    let this = std::env::current_exe().unwrap().into_os_string().into_string().unwrap();
    [&this, "--exact", "tones::names_the_tones_in_the_sound_on_its_input", "--ignored", "--nocapture"].map(str::to_owned).into()
}

/// The program, as the test's binary sees it: what else that says is no JSON.
#[test]
#[ignore = "not a test: the engine that other tests start"]
fn names_the_tones_in_the_sound_on_its_input() {
    let mut wav = Vec::new();
    std::io::stdin().read_to_end(&mut wav).unwrap();
    let language = std::env::var("SALON_LANGUAGE").unwrap();
    for (start_ms, end_ms, hertz) in hear(&wav) {
        let line = json!({ "start_ms": start_ms, "end_ms": end_ms, "text": format!("{hertz} hertz,\nin {language:?}") });
        println!("\n{}\n{line}", json!({ "text": format!("{hertz}..."), "partial": true }));
    }
}

/// Services for sound and for summaries, at one address.
pub struct Services {
    pub address: String,
    /// What they were asked: the path, who asked, and what beside a file.
    asked: Arc<Mutex<Vec<(String, String, String)>>>,
    /// So many of the next requests are answered with 500.
    pub fails: Arc<Mutex<usize>>,
}

impl Services {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (asked, fails) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(0)));
        let all = Self { address, asked: asked.clone(), fails: fails.clone() };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, asked.clone(), fails.clone()));
            }
        });
        all
    }

    pub fn asked(&self) -> Vec<(String, String, String)> {
        self.asked.lock().unwrap().clone()
    }
}

async fn serve(mut stream: TcpStream, asked: Arc<Mutex<Vec<(String, String, String)>>>, fails: Arc<Mutex<usize>>) {
    let mut bytes = Vec::new();
    loop {
        let head = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let length = head.map(|end| {
            let text = std::str::from_utf8(&bytes[..end]).unwrap().to_ascii_lowercase();
            let length = text.lines().find_map(|line| line.strip_prefix("content-length: ").map(str::to_owned));
            end + 4 + length.unwrap().parse::<usize>().unwrap()
        });
        let Some(whole) = length.filter(|length| bytes.len() >= *length) else {
            match stream.read_buf(&mut bytes).await {
                Ok(count) if count > 0 => continue,
                _ => return,
            }
        };
        let (head, body) =
            (String::from_utf8(bytes[..head.unwrap()].to_vec()).unwrap(), bytes[head.unwrap() + 4..whole].to_vec());
        bytes.drain(..whole);
        let path = head.split(' ').nth(1).unwrap().to_owned();
        let key = head.lines().find_map(|line| line.strip_prefix("authorization: ")).unwrap_or_default().to_owned();
        let is_broken = {
            let mut fails = fails.lock().unwrap();
            *fails = fails.saturating_sub(1);
            *fails > 0
        };
        let (beside, answer) = if path.ends_with("/transcriptions") { transcribed(&body) } else { summed_up(&body) };
        asked.lock().unwrap().push((path, key, beside));
        let (status, answer) = if is_broken { (500, json!({"error": "no model"})) } else { (200, answer) };
        let answer = answer.to_string();
        let answer = format!("HTTP/1.1 {status} So\r\ncontent-length: {}\r\n\r\n{answer}", answer.len());
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// The tones of the file in a form, and the other fields.
fn transcribed(form: &[u8]) -> (String, Value) {
    let at = form.windows(4).position(|four| four == b"RIFF").unwrap();
    let boundary = form.windows(2).position(|two| two == b"\r\n").unwrap();
    let wav = &form[at..form.len() - (boundary + 6)];
    let segments: Vec<Value> = hear(wav)
        .iter()
        .map(|(start, end, hertz)| {
            json!({ "start": *start as f64 / 1_000.0, "end": *end as f64 / 1_000.0, "text": format!(" {hertz} hertz") })
        })
        .collect();
    let text: String = segments.iter().map(|segment| segment["text"].as_str().unwrap()).collect();
    (String::from_utf8_lossy(&form[..at]).into_owned(), json!({ "text": text, "segments": segments }))
}

/// Says who was heard how often, of the conversation it is told.
fn summed_up(body: &[u8]) -> (String, Value) {
    let body: Value = serde_json::from_slice(body).unwrap();
    let talk = body["messages"][1]["content"].as_str().unwrap();
    let mut counts = std::collections::BTreeMap::new();
    for line in talk.lines() {
        *counts.entry(line.split_once(": ").unwrap().0).or_insert(0) += 1;
    }
    let said: Vec<String> = counts.iter().map(|(name, count)| format!("{name} said {count} things")).collect();
    let asked = format!("{} {}", body["model"], body["messages"][0]["content"].as_str().unwrap());
    (
        asked,
        json!({ "choices": [{ "message": { "role": "assistant", "content": format!("# Summary\n\n{}", said.join("\n")) } }] }),
    )
}
