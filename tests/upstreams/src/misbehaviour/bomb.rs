//! Decompression bombs: valid, small, and hundreds of mebibytes of spaces when unpacked.

use std::io::Write;

use flate2::{Compress, Compression, Crc, FlushCompress};
use serde::Deserialize;

/// How a bomb is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// RFC 1952.
    Gzip,
    /// The `deflate` of HTTP, which is RFC 1950 (zlib).
    Deflate,
    /// RFC 8878.
    Zstd,
}

impl Encoding {
    /// Its name in `content-encoding`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Encoding::Gzip => "gzip",
            Encoding::Deflate => "deflate",
            Encoding::Zstd => "zstd",
        }
    }
}

static MIB: [u8; 1 << 20] = [b' '; 1 << 20];

/// `mib` mebibytes of spaces, packed. Spaces, because they are a valid beginning of JSON.
pub(super) fn pack(encoding: Encoding, mib: u32) -> Vec<u8> {
    match encoding {
        Encoding::Gzip => gzip(mib),
        Encoding::Deflate => zlib(mib),
        Encoding::Zstd => zstd(mib),
    }
}

fn gzip(mib: u32) -> Vec<u8> {
    let mut one = Crc::new();
    one.update(&MIB);
    let mut all = Crc::new();
    (0..mib).for_each(|_| all.combine(&one));
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 255];
    blocks(&mut out, mib);
    out.extend(all.sum().to_le_bytes());
    out.extend(mib.wrapping_shl(20).to_le_bytes());
    out
}

fn zlib(mib: u32) -> Vec<u8> {
    // Adler-32 of n equal bytes b (RFC 1950 section 8.2): A = 1 + n*b, B = n + b*n*(n+1)/2, both modulo 65521.
    let n = u128::from(mib) << 20;
    let space = u128::from(b' ');
    let (a, b) = ((1 + n * space) % 65_521, (n + space * n * (n + 1) / 2) % 65_521);
    let mut out = vec![0x78, 0xda];
    blocks(&mut out, mib);
    out.extend(u32::try_from(b << 16 | a).unwrap_or_default().to_be_bytes());
    out
}

/// One mebibyte is deflated once, up to a full flush, after which the next starts afresh: so its bytes can be said again and again.
fn blocks(out: &mut Vec<u8>, mib: u32) {
    let mut one = Vec::with_capacity(16 * 1024);
    let mut deflate = Compress::new(Compression::best(), false);
    if deflate.compress_vec(&MIB, &mut one, FlushCompress::Full).is_ok() {
        (0..mib).for_each(|_| out.extend(&one));
    }
    // An empty last block with fixed codes.
    out.extend([0x03, 0x00]);
}

/// A frame of run-length blocks: four bytes for every 128 KiB.
fn zstd(mib: u32) -> Vec<u8> {
    const BLOCK: u32 = 128 * 1024;
    // Magic number; a header without checksum, size or dictionary; a window of 128 KiB (exponent 7).
    let mut out = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 7 << 3];
    let blocks = mib * 8;
    for block in 1..=blocks {
        let last = u32::from(block == blocks);
        let header = (BLOCK << 3 | 1 << 1 | last).to_le_bytes();
        let _ = out.write_all(header.get(..3).unwrap_or_default());
        out.push(b' ');
    }
    out
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::io::Read;

    use super::{Encoding, pack};

    #[test]
    fn bombs_are_small_and_unpack_to_what_they_say() {
        let mut unpacked = Vec::new();
        flate2::read::GzDecoder::new(pack(Encoding::Gzip, 3).as_slice()).read_to_end(&mut unpacked).unwrap();
        assert!(unpacked.len() == 3 << 20 && unpacked.iter().all(|byte| *byte == b' '));
        unpacked.clear();
        flate2::read::ZlibDecoder::new(pack(Encoding::Deflate, 3).as_slice()).read_to_end(&mut unpacked).unwrap();
        assert_eq!(unpacked.len(), 3 << 20);
        for encoding in [Encoding::Gzip, Encoding::Deflate, Encoding::Zstd] {
            let packed = pack(encoding, 512);
            assert!(packed.len() < 1 << 20, "{} is {} bytes", encoding.name(), packed.len());
        }
    }

    #[test]
    fn a_zstd_bomb_is_a_frame_of_run_length_blocks() {
        // Checked against the reference decoder when it was written: `zstd -d` gives 1 MiB of spaces.
        let packed = pack(Encoding::Zstd, 1);
        assert_eq!(packed.len(), 6 + 8 * 4);
        assert_eq!(packed.get(6..10).unwrap(), [0x02, 0x00, 0x10, b' ']);
        assert_eq!(packed.get(34..38).unwrap(), [0x03, 0x00, 0x10, b' ']);
    }
}
