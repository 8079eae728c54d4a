//! What bytes are, as far as it has to be known: one whole picture of a kind, how large it unfolds, and whether words are in it.

/// What a picture is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) annotated: bool,
}

fn array<const N: usize>(data: &[u8], at: usize) -> Option<[u8; N]> {
    data.get(at..at.checked_add(N)?)?.try_into().ok()
}

/// Chunks of length, kind, data and checksum (PNG, third edition, section 5), from the header to the end.
pub(super) fn png(data: &[u8]) -> Option<Shape> {
    let mut rest = data.strip_prefix(b"\x89PNG\r\n\x1a\n")?;
    let mut shape = None;
    loop {
        let length = usize::try_from(u32::from_be_bytes(array(rest, 0)?)).ok()?;
        let kind: [u8; 4] = array(rest, 4)?;
        let body = rest.get(8..length.checked_add(8)?)?;
        rest = rest.get(length.checked_add(12)?..)?;
        match (&kind, &mut shape) {
            (b"IHDR", None) => {
                let [width, height] = [0, 4].map(|at| array(body, at).map(u32::from_be_bytes));
                shape = Some(Shape { width: width?, height: height?, annotated: false });
            }
            (b"IHDR", Some(_)) | (_, None) => return None,
            (b"IEND", Some(shape)) => return rest.is_empty().then_some(*shape),
            (b"tEXt" | b"zTXt" | b"iTXt" | b"eXIf", Some(shape)) => shape.annotated = true,
            (_, Some(_)) => {}
        }
    }
}

/// Segments (ITU-T T.81, annex B) up to the scan; what is in the scan is not looked into, but the end is at the end.
pub(super) fn jpeg(data: &[u8]) -> Option<Shape> {
    let mut rest = data.strip_prefix(b"\xff\xd8")?.strip_suffix(b"\xff\xd9")?;
    let (mut size, mut annotated) = (None, false);
    loop {
        let [mark, kind] = array(rest, 0)?;
        let length = usize::from(u16::from_be_bytes(array(rest, 2)?));
        let body = rest.get(4..length.checked_add(2)?)?;
        rest = rest.get(length.checked_add(2)?..)?;
        match (mark, kind) {
            (0xff, 0xda) => return size.map(|(width, height)| Shape { width, height, annotated }),
            // Every frame header but the tables that are numbered between them.
            (0xff, 0xc0..=0xcf) if !matches!(kind, 0xc4 | 0xc8 | 0xcc) => {
                let [height, width] = [1, 3].map(|at| array(body, at).map(u16::from_be_bytes));
                let found = (u32::from(width?), u32::from(height?));
                if size.replace(found).is_some() {
                    return None;
                }
            }
            // Application data but JFIF's own and Adobe's, and comments.
            (0xff, 0xe1..=0xed | 0xef | 0xfe) => annotated = true,
            (0xff, 0xc0..=0xfe) => {}
            _ => return None,
        }
    }
}

/// Chunks of kind, length and data, padded to even lengths (RFC 9649).
pub(super) fn webp(data: &[u8]) -> Option<Shape> {
    let length = u32::from_le_bytes(array(data, 4)?);
    let whole = data.len() == usize::try_from(length).ok()?.checked_add(8)?;
    let mut rest = data.strip_prefix(b"RIFF")?.get(4..)?.strip_prefix(b"WEBP").filter(|_| whole)?;
    let (mut size, mut annotated) = (None, false);
    while !rest.is_empty() {
        let kind: [u8; 4] = array(rest, 0)?;
        let length = usize::try_from(u32::from_le_bytes(array(rest, 4)?)).ok()?;
        let body = rest.get(8..length.checked_add(8)?)?;
        rest = rest.get(length.checked_add(length % 2)?.checked_add(8)?..)?;
        // The canvas comes first, and is what a client makes room for.
        let found = match &kind {
            b"VP8X" => {
                let side = |at| array(body, at).map(|[a, b, c]| u32::from_le_bytes([a, b, c, 0]) + 1);
                Some((side(4)?, side(7)?))
            }
            b"VP8 " if array(body, 3)? == [0x9d, 0x01, 0x2a] => {
                let side = |at| array(body, at).map(|two| u32::from(u16::from_le_bytes(two) & 0x3fff));
                Some((side(6)?, side(8)?))
            }
            b"VP8L" if body.first() == Some(&0x2f) => {
                let bits = u32::from_le_bytes(array(body, 1)?);
                Some(((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1))
            }
            b"VP8 " | b"VP8L" => return None,
            b"EXIF" | b"XMP " => {
                annotated = true;
                None
            }
            _ => None,
        };
        size = match (size, found) {
            (Some((width, height)), Some((other_width, other_height))) => {
                Some((u32::max(width, other_width), u32::max(height, other_height)))
            }
            (size, found) => size.or(found),
        };
    }
    size.map(|(width, height)| Shape { width, height, annotated })
}
