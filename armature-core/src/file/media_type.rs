//! The media type of a file, by the extension of its name: what IANA's registry and the HTML standard call what the web is
//! made of. Text is taken to be UTF-8.

use std::path::Path;

use crate::respond::MediaType;

/// Extensions in lower case, sorted, with their types.
const TYPES: &[(&str, MediaType)] = &[
    ("aac", MediaType::from_static("audio/aac")),
    ("apng", MediaType::from_static("image/apng")),
    ("avif", MediaType::from_static("image/avif")),
    ("bmp", MediaType::from_static("image/bmp")),
    ("css", MediaType::from_static("text/css; charset=utf-8")),
    ("csv", MediaType::from_static("text/csv; charset=utf-8")),
    ("epub", MediaType::from_static("application/epub+zip")),
    ("flac", MediaType::from_static("audio/flac")),
    ("gif", MediaType::from_static("image/gif")),
    ("gz", MediaType::from_static("application/gzip")),
    ("htm", MediaType::HTML),
    ("html", MediaType::HTML),
    ("ico", MediaType::from_static("image/vnd.microsoft.icon")),
    ("ics", MediaType::from_static("text/calendar; charset=utf-8")),
    ("jpeg", MediaType::from_static("image/jpeg")),
    ("jpg", MediaType::from_static("image/jpeg")),
    ("js", MediaType::from_static("text/javascript; charset=utf-8")),
    ("json", MediaType::JSON),
    ("jsonld", MediaType::from_static("application/ld+json")),
    ("m4a", MediaType::from_static("audio/mp4")),
    ("map", MediaType::JSON),
    ("md", MediaType::from_static("text/markdown; charset=utf-8")),
    ("mjs", MediaType::from_static("text/javascript; charset=utf-8")),
    ("mp3", MediaType::from_static("audio/mpeg")),
    ("mp4", MediaType::from_static("video/mp4")),
    ("mpeg", MediaType::from_static("video/mpeg")),
    ("oga", MediaType::from_static("audio/ogg")),
    ("ogg", MediaType::from_static("audio/ogg")),
    ("ogv", MediaType::from_static("video/ogg")),
    ("opus", MediaType::from_static("audio/ogg")),
    ("otf", MediaType::from_static("font/otf")),
    ("pdf", MediaType::from_static("application/pdf")),
    ("png", MediaType::from_static("image/png")),
    ("rtf", MediaType::from_static("application/rtf")),
    ("svg", MediaType::from_static("image/svg+xml")),
    ("tar", MediaType::from_static("application/x-tar")),
    ("tif", MediaType::from_static("image/tiff")),
    ("tiff", MediaType::from_static("image/tiff")),
    ("toml", MediaType::from_static("application/toml")),
    ("ttf", MediaType::from_static("font/ttf")),
    ("txt", MediaType::TEXT),
    ("wasm", MediaType::from_static("application/wasm")),
    ("wav", MediaType::from_static("audio/wav")),
    ("weba", MediaType::from_static("audio/webm")),
    ("webm", MediaType::from_static("video/webm")),
    ("webmanifest", MediaType::from_static("application/manifest+json")),
    ("webp", MediaType::from_static("image/webp")),
    ("woff", MediaType::from_static("font/woff")),
    ("woff2", MediaType::from_static("font/woff2")),
    ("xhtml", MediaType::from_static("application/xhtml+xml")),
    ("xml", MediaType::from_static("application/xml")),
    ("yaml", MediaType::from_static("application/yaml")),
    ("yml", MediaType::from_static("application/yaml")),
    ("zip", MediaType::from_static("application/zip")),
];

/// The type of a file of this name; bytes, if the extension says nothing.
pub(super) fn of(path: &Path) -> MediaType {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default().to_ascii_lowercase();
    let found = TYPES.binary_search_by_key(&extension.as_str(), |(extension, _)| extension);
    found.map_or(MediaType::BYTES, |at| TYPES[at].1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_extension_is_found_and_others_are_bytes() {
        for (extension, media_type) in TYPES {
            assert_eq!(of(Path::new(&format!("a.{extension}"))), *media_type, "{extension}");
            assert_eq!(of(Path::new(&format!("a/b.min.{}", extension.to_uppercase()))), *media_type);
        }
        for name in ["a", "html", ".html", "a.", "a.exe", "a.html/b"] {
            assert_eq!(of(Path::new(name)), MediaType::BYTES, "{name}");
        }
    }
}
