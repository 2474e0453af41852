//! What is done to files at last: parts are joined, the head goes to the front, the sound is taken out.
//! Owns no file for longer than it takes. Invariant: a file is replaced only by one that is whole.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::canvas::Mark;
use crate::encoder::Plan;
use crate::job::{AudioCodec, Channel, File, FileKind, Watermark};

/// The largest header of an image as ffmpeg writes it, in bytes.
const PAM_HEADER: usize = 256;

fn ffmpeg(plan: &Plan, folder: &Path, arguments: &[&str]) -> anyhow::Result<Vec<u8>> {
    let mut command = Command::new(&plan.program);
    command.args(["-hide_banner", "-nostdin", "-loglevel", "error", "-y"]).args(arguments).current_dir(folder);
    command.env_clear().stdin(Stdio::null()).stderr(Stdio::inherit());
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    let ran = command.output()?;
    anyhow::ensure!(ran.status.success(), "{} ends with {}", plan.program.display(), ran.status);
    Ok(ran.stdout)
}

/// Makes one file of the parts, in the place of the first one, and one of the sound alone if that is wanted. Parts that cannot be
/// joined, as where there is no room for both, stay files of their own.
///
/// # Errors
/// If there is nothing that plays.
pub fn finish(
    plan: &Plan,
    folder: &Path,
    name: &str,
    parts: &[PathBuf],
    duration_ms: u64,
    sound: Option<AudioCodec>,
) -> anyhow::Result<Vec<File>> {
    let length = |path: &Path| fs::metadata(path).map_or(0, |metadata| metadata.len());
    let parts: Vec<&PathBuf> = parts.iter().filter(|part| length(part) > 0).collect();
    let Some(first) = parts.first() else { anyhow::bail!("the encoder wrote nothing") };
    let ending = plan.ending();
    let whole = format!("{name}.{ending}");
    let made = format!("{name}.whole.{ending}");
    let joined = match parts.len() {
        1 if ending == "mp3" => Ok(()),
        1 => rewrite(plan, folder, first, &made),
        _ => join(plan, folder, &parts, &made),
    };
    let mut left = &parts[1..];
    match joined {
        Ok(()) => {
            if folder.join(&made).exists() {
                fs::rename(folder.join(&made), folder.join(&whole))?;
            }
            for part in std::mem::take(&mut left).iter().chain([first]).filter(|part| ***part != folder.join(&whole)) {
                let _ = fs::remove_file(part);
            }
        }
        Err(error) => {
            complain!("salon recorder: the files stay as they are: {error:#}");
            let _ = fs::remove_file(folder.join(&made));
            if **first != folder.join(&whole) {
                fs::rename(first, folder.join(&whole))?;
            }
        }
    }
    let file = |name: String, kind| {
        let bytes = length(&folder.join(&name));
        File { name, bytes, kind, user_id: None, peer_id: None, duration_ms }
    };
    let kind = if plan.video.is_some() { FileKind::Video } else { FileKind::Audio };
    let mut files = vec![file(whole.clone(), kind)];
    for part in left {
        files.push(file(named(part)?.to_owned(), kind));
    }
    if let (Some(codec), true) = (sound, plan.video.is_some()) {
        let name = format!("{name}.{}", if codec == AudioCodec::Aac { "m4a" } else { "mp3" });
        match take_sound(plan, folder, &whole, codec, &name) {
            Ok(()) => files.push(file(name, FileKind::Audio)),
            Err(error) => complain!("salon recorder: there is no file of sound: {error:#}"),
        }
    }
    Ok(files)
}

/// What cannot be named here is no name of ours.
fn named(path: &Path) -> anyhow::Result<&str> {
    path.file_name().and_then(|name| name.to_str()).ok_or_else(|| anyhow::anyhow!("a file has no name"))
}

/// The same, with what players need first in front.
fn rewrite(plan: &Plan, folder: &Path, part: &Path, to: &str) -> anyhow::Result<()> {
    let part = format!("file:{}", named(part)?);
    let to = format!("file:{to}");
    let front: &[&str] = if plan.ending() == "webm" { &[] } else { &["-movflags", "+faststart", "-f", "mp4"] };
    ffmpeg(plan, folder, &[&["-i", &part, "-c", "copy"], front, &[&to]].concat()).map(|_| ())
}

/// Pictures are copied; sound is encoded again, because copied it would move by some milliseconds at each joint.
fn join(plan: &Plan, folder: &Path, parts: &[&PathBuf], to: &str) -> anyhow::Result<()> {
    let lines: Result<Vec<String>, _> = parts.iter().map(|part| named(part).map(|name| format!("file '{name}'\n"))).collect();
    let list = format!("{to}.txt");
    fs::write(folder.join(&list), lines?.concat())?;
    let output = format!("file:{to}");
    let from = ["-f", "concat", "-safe", "0", "-i", &list];
    let how: &[&str] = match plan.ending() {
        "mp4" => &["-c:v", "copy", "-c:a", "aac", "-b:a", "192k", "-movflags", "+faststart"],
        "m4a" => &["-c:a", "aac", "-b:a", "192k", "-movflags", "+faststart", "-f", "mp4"],
        "webm" => &["-c:v", "copy", "-c:a", "libvorbis", "-b:a", "128k"],
        _ => &["-c", "copy"],
    };
    let joined = ffmpeg(plan, folder, &[&from[..], how, &[&output]].concat());
    let _ = fs::remove_file(folder.join(&list));
    joined.map(|_| ())
}

fn take_sound(plan: &Plan, folder: &Path, whole: &str, codec: AudioCodec, to: &str) -> anyhow::Result<()> {
    let from = format!("file:{whole}");
    let to = format!("file:{to}");
    let how: &[&str] = match (codec, plan.ending(), plan.channel) {
        (AudioCodec::Aac, "mp4", _) => &["-c:a", "copy", "-movflags", "+faststart", "-f", "mp4"],
        (AudioCodec::Aac, _, _) => &["-c:a", "aac", "-b:a", "128k", "-movflags", "+faststart", "-f", "mp4"],
        (AudioCodec::Mp3, _, Channel::Mono) => &["-c:a", "libmp3lame", "-b:a", "96k"],
        (AudioCodec::Mp3, _, Channel::Stereo) => &["-c:a", "libmp3lame", "-b:a", "192k"],
    };
    ffmpeg(plan, folder, &[&["-i", &from, "-vn"], how, &[&to]].concat()).map(|_| ())
}

/// Reads an image, no larger than a picture of this size.
///
/// # Errors
/// If ffmpeg cannot read it.
pub fn read_mark(plan: &Plan, folder: &Path, mark: &Watermark, (width, height): (usize, usize)) -> anyhow::Result<Mark> {
    anyhow::ensure!(named(Path::new(&mark.file))? == mark.file, "a watermark is a file in the job's folder");
    let scale = match (mark.width, mark.height) {
        (Some(w), Some(h)) => format!("scale={}:{}", (w as usize).clamp(2, width), (h as usize).clamp(2, height)),
        (Some(w), None) => format!("scale={}:-2", (w as usize).clamp(2, width)),
        (None, Some(h)) => format!("scale=-2:{}", (h as usize).clamp(2, height)),
        (None, None) => format!("scale='min(iw,{width})':'min(ih,{height})':force_original_aspect_ratio=decrease"),
    };
    let from = format!("file:{}", mark.file);
    let input = ["-protocol_whitelist", "file", "-i", &from, "-frames:v", "1", "-vf", &scale];
    let output = ["-pix_fmt", "rgba", "-c:v", "pam", "-f", "image2pipe", "pipe:1"];
    let pam = ffmpeg(plan, folder, &[&input[..], &output].concat())?;
    read_pam(&pam).ok_or_else(|| anyhow::anyhow!("ffmpeg does not read the watermark"))
}

/// An image as ffmpeg hands it over: a head of lines, then rows of red, green, blue and alpha.
fn read_pam(bytes: &[u8]) -> Option<Mark> {
    const END: &[u8] = b"ENDHDR\n";
    let head = bytes.get(..bytes.len().min(PAM_HEADER))?;
    let end = head.windows(END.len()).position(|window| window == END)?;
    let text = std::str::from_utf8(&head[..end]).ok()?;
    let number = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<usize>().ok());
    let (width, height, depth) = (number("WIDTH")?, number("HEIGHT")?, number("DEPTH")?);
    if depth != 4 || width > 8_192 || height > 8_192 {
        return None;
    }
    Mark::from_rgba(width, height, &bytes[end + END.len()..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoder::Pictures;
    use crate::job::VideoCodec;

    #[test]
    fn parts_that_cannot_be_joined_stay() {
        let folder = std::env::temp_dir().join(format!("salon-finish-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let parts = ["r.mp4", "r.part2.mp4", "r.part3.mp4"].map(|name| folder.join(name));
        for (part, text) in parts.iter().zip(["", "second", "third one"]) {
            fs::write(part, text).unwrap();
        }
        let video = Some(Pictures { codec: VideoCodec::H264, width: 64, height: 36, rate: 30 });
        let (audio, channel) = (AudioCodec::Aac, Channel::Stereo);
        let cannot = Plan { program: "false".into(), video, audio, channel, haste: 0 };
        let files = finish(&cannot, &folder, "r", &parts, 1, None).unwrap();
        let found: Vec<_> = files.iter().map(|file| fs::read_to_string(folder.join(&file.name)).unwrap()).collect();
        assert_eq!(found, ["second", "third one"]);
        assert_eq!(files[0].name, "r.mp4");
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn an_image_is_read_as_ffmpeg_writes_it() {
        let head = "P7\nWIDTH 4\nHEIGHT 2\nDEPTH 4\nMAXVAL 255\nTUPLTYPE RGB_ALPHA\nENDHDR\n";
        let pam = [head.as_bytes(), &[255; 32]].concat();
        assert_eq!(read_pam(&pam).unwrap().size(), (4, 2));
        assert!(read_pam(&pam[..pam.len() - 1]).is_none());
        assert!(read_pam(b"P7\nENDHDR\n").is_none() && read_pam(b"").is_none());
    }
}
