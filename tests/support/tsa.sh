#!/bin/bash
# tsa: certificates and settings of time stamp authorities that openssl plays. SPDX-License-Identifier: Apache-2.0
#
#     tsa.sh DIR      makes DIR/ca.pem, whose signer is DIR/good.pem, DIR/good.key; also `expired`, whose time was over
#                     long ago, and `foreign`, of DIR/foreign-ca.pem; DIR/tsa.cnf for `openssl ts -reply`, and
#                     DIR/picky.cnf, which takes no SHA-256
#     DIR/reply WHO QUERY ANSWER [CNF]     one answer
set -eu
cd "$1"

authority()
{
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$1.key" -out "$1.pem" -days 3650 -subj "/CN=$1" \
        -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign
}

# NAME AUTHORITY DAYS: who signs time stamps, and nothing else.
signer()
{
    printf 'extendedKeyUsage=critical,timeStamping\nkeyUsage=critical,digitalSignature\n' >ext
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$1.key" -out "$1.csr" -subj "/CN=signer of $2"
    openssl x509 -req -in "$1.csr" -CA "$2.pem" -CAkey "$2.key" -CAcreateserial -days "$3" -extfile ext -out "$1.pem"
}

settings()
{
    printf '[tsa]\ndefault_tsa = it\n[it]\nserial = %s/serial\ncrypto_device = builtin\nsigner_digest = sha256\n' "$PWD"
    printf 'default_policy = 1.2.3.4.1\ndigests = %s\naccuracy = secs:1\ness_cert_id_alg = sha256\n' "$1"
}

# At a time long ago.
long_ago()
{
    env LD_PRELOAD="$(echo /usr/lib/*/faketime/libfaketime.so.1)" FAKETIME="$1" bash -c "set -eu; $(declare -f authority signer); $2"
}

make_all()
{
    long_ago '@2019-12-31 12:00:00' 'authority ca'
    long_ago '@2020-01-01 12:00:00' 'signer expired ca 30'
    signer good ca 30
    authority foreign-ca
    signer foreign foreign-ca 30
    echo 01 >serial
    settings sha256 >tsa.cnf
    settings sha512 >picky.cnf
}

make_all >made 2>&1
cat >reply <<'SH'
#!/bin/sh
cd "$(dirname "$0")" && exec openssl ts -reply -config "${4:-tsa.cnf}" -queryfile "$2" -signer "$1.pem" -inkey "$1.key" -out "$3"
SH
chmod +x reply
