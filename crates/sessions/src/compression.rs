//! Decompresses, up to the size at which a session would be too large.
//!
//! The decoders are libraries. Each was chosen because what it holds follows what it has put out,
//! or can be bounded before: none reserves as much memory as a header claims.

use std::io::Read;

use miniz_oxide::inflate::{TINFLStatus, decompress_to_vec_zlib_with_limit};

use crate::{Invalid, MAX_PAYLOAD};

const CORRUPT: Invalid = Invalid::Format("the compressed data does not decompress");

/// Whether `bytes` begin as a zlib stream does (RFC 1950 section 2.2).
pub(crate) fn is_zlib(bytes: &[u8]) -> bool {
    match bytes {
        [method, flags, ..] => {
            method & 0x0f == 8 && u16::from_be_bytes([*method, *flags]).is_multiple_of(31)
        }
        _ => false,
    }
}

/// The contents of a zlib stream.
pub(crate) fn zlib(bytes: &[u8]) -> Result<Vec<u8>, Invalid> {
    decompress_to_vec_zlib_with_limit(bytes, MAX_PAYLOAD).map_err(|error| match error.status {
        TINFLStatus::HasMoreOutput => Invalid::TooLarge(MAX_PAYLOAD),
        _ => CORRUPT,
    })
}

/// The contents of `bytes` if they begin as any of the formats does that django-redis compresses
/// to: zlib, gzip, LZ4 frames, Zstandard and xz.
pub(crate) fn recognized(bytes: &[u8]) -> Result<Option<Vec<u8>>, Invalid> {
    let contents = match bytes {
        [0x1f, 0x8b, ..] => drain(flate2::bufread::GzDecoder::new(bytes)),
        [0x04, 0x22, 0x4d, 0x18, ..] => lz4(bytes),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => zstd(bytes),
        // Its dictionary grows with the contents, however large the header says that it is.
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => drain(lzma_rust2::XzReader::new(bytes, false)),
        _ if is_zlib(bytes) => zlib(bytes),
        _ => return Ok(None),
    };
    contents.map(Some)
}

/// An LZ4 frame (lz4_Frame_format.md 1.6.4 of lz4).
fn lz4(bytes: &[u8]) -> Result<Vec<u8>, Invalid> {
    let &[_, _, _, _, flags, descriptor, ..] = bytes else {
        return Err(CORRUPT);
    };
    // Blocks of 4 MiB, three of which a decoder may hold. The default is 64 KiB.
    if descriptor >> 4 & 7 > 6 {
        return Err(Invalid::TooLarge(MAX_PAYLOAD));
    }
    // The decoder takes the end of its input for the end of the frame.
    let checksum = if flags & 0b100 == 0 { 0 } else { 4 };
    let end = bytes.len().checked_sub(checksum);
    let frame = end.and_then(|end| bytes.get(..end)).ok_or(CORRUPT)?;
    if !frame.ends_with(&[0; 4]) {
        return Err(CORRUPT);
    }
    drain(lz4_flex::frame::FrameDecoder::new(bytes))
}

/// A Zstandard frame (RFC 8878). The window is the one thing that a header has reserved.
fn zstd(bytes: &[u8]) -> Result<Vec<u8>, Invalid> {
    let window = u64::try_from(MAX_PAYLOAD).unwrap_or_default();
    let decoder = ruzstd::decoding::StreamingDecoder::new_with_max_window_size(bytes, window);
    drain(decoder.map_err(|_| CORRUPT)?)
}

/// All that `decoder` puts out, as long as it is less than [`MAX_PAYLOAD`].
fn drain(mut decoder: impl Read) -> Result<Vec<u8>, Invalid> {
    let mut contents: Vec<u8> = Vec::new();
    let mut chunk = [0; 8192];
    loop {
        let length = decoder.read(&mut chunk).map_err(|_| CORRUPT)?;
        let read = chunk.get(..length).unwrap_or_default();
        if read.is_empty() {
            return Ok(contents);
        }
        if contents.len() + read.len() >= MAX_PAYLOAD {
            return Err(Invalid::TooLarge(MAX_PAYLOAD));
        }
        contents.extend_from_slice(read);
    }
}
