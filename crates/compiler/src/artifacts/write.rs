//! A file as a whole or not at all.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

/// Writes `artifact` into `folder` under `name`, for example `manifest.json`, and makes the folder where it is missing.
/// Who reads the file sees the old one or the new one. Gives the file's path.
///
/// # Errors
/// The folder or the file cannot be written.
pub fn write(folder: &Path, name: &str, artifact: &impl Serialize) -> io::Result<PathBuf> {
    std::fs::create_dir_all(folder)?;
    let path = folder.join(name);
    let draft = folder.join(format!("{name}.{}.new", std::process::id()));
    let mut out = BufWriter::with_capacity(1 << 16, File::create(&draft)?);
    let written = serde_json::to_writer(&mut out, artifact)
        .map_err(io::Error::from)
        .and_then(|()| out.flush());
    let done = written.and_then(|()| std::fs::rename(&draft, &path));
    if done.is_err() {
        // Half a file is of no use to anybody.
        let _ = std::fs::remove_file(&draft);
    }
    done.map(|()| path)
}
