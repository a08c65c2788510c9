;; chacha20-poly1305@openssh.com (OpenSSH PROTOCOL.chacha20poly1305): seals and opens one packet at a time. No branch and
;; no address depends on a secret; whether a tag is right is not a secret.
;;
;; Memory: the key of Poly1305 at 0, its state from 32, the tag at 72, the payload's key at 96, the length's key at 128,
;; the nonce at 160, the last partial block at 176, four blocks of the key stream at 256, the packet from 512.

;; Encrypts or decrypts the length of the packet.
(func $length (export "length")
  (call $stream (i32.const 128) (i32.const 0))
  (i32.store (i32.const 512) (i32.xor (i32.load (i32.const 512)) (i32.load (i32.const 256)))))

;; Derives the key of Poly1305: the first half of block 0. The blocks 1 to 3 are the first ones of the payload.
(func $begin
  (call $stream (i32.const 96) (i32.const 0))
  (memory.copy (i32.const 0) (i32.const 256) (i32.const 32)))

;; Encrypts or decrypts the payload, which ends at $end, after $begin.
(func $crypt (param $end i32)
  (local $at i32) (local $counter i32)
  (call $xor (i32.const 516) (i32.const 320) (call $min (i32.const 708) (local.get $end)))
  (local.set $at (i32.const 708))
  (local.set $counter (i32.const 4))
  (block $done
    (loop $next
      (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
      (call $stream (i32.const 96) (local.get $counter))
      (call $xor (local.get $at) (i32.const 256) (call $min (i32.add (local.get $at) (i32.const 256)) (local.get $end)))
      (local.set $at (i32.add (local.get $at) (i32.const 256)))
      (local.set $counter (i32.add (local.get $counter) (i32.const 4)))
      (br $next))))

(func $min (param $a i32) (param $b i32) (result i32)
  (select (local.get $a) (local.get $b) (i32.lt_u (local.get $a) (local.get $b))))

;; XORs the bytes from $at to $end with those from $from on, eight at a time. A payload is a multiple of eight.
(func $xor (param $at i32) (param $from i32) (param $end i32)
  (loop $next
    (i64.store (local.get $at) (i64.xor (i64.load (local.get $at)) (i64.load (local.get $from))))
    (local.set $from (i32.add (local.get $from) (i32.const 8)))
    (br_if $next (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 8))) (local.get $end)))))

;; Computes the tag of the packet, which ends at $end.
(func $authenticate (param $end i32)
  (local $whole i32)
  (local.set $whole (i32.and (local.get $end) (i32.const -16)))
  (call $start)
  (call $blocks (i32.const 512) (local.get $whole) (i32.const 0x1000000))
  ;; A partial block: a 1 bit follows its last byte, then zeros.
  (if (i32.lt_u (local.get $whole) (local.get $end))
    (then
      (memory.fill (i32.const 176) (i32.const 0) (i32.const 16))
      (memory.copy (i32.const 176) (local.get $whole) (i32.sub (local.get $end) (local.get $whole)))
      (i32.store8 offset=176 (i32.sub (local.get $end) (local.get $whole)) (i32.const 1))
      (call $blocks (i32.const 176) (i32.const 192) (i32.const 0))))
  (call $finish))

;; Seals the packet of length, payload and padding from 512 to $end, and writes the tag behind it.
(func (export "seal") (param $end i32)
  (call $length)
  (call $begin)
  (call $crypt (local.get $end))
  (call $authenticate (local.get $end))
  (i64.store (local.get $end) (i64.load (i32.const 72)))
  (i64.store offset=8 (local.get $end) (i64.load (i32.const 80))))

;; Decrypts the payload and returns 1 if the tag at $end is right, otherwise returns 0.
(func (export "open") (param $end i32) (result i32)
  (call $begin)
  (call $authenticate (local.get $end))
  (if (i64.ne (i64.const 0)
      (i64.or (i64.xor (i64.load (local.get $end)) (i64.load (i32.const 72)))
        (i64.xor (i64.load offset=8 (local.get $end)) (i64.load (i32.const 80)))))
    (then (return (i32.const 0))))
  (call $crypt (local.get $end))
  (i32.const 1))
