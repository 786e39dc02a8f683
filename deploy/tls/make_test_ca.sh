#!/bin/bash
# Makes a certificate authority for tests and trials, and certificates that it
# signs. Its key lies beside them: never use it for patients' data.
#
# Usage: deploy/tls/make_test_ca.sh FOLDER ROLE/NAME...
#   ROLE   router, dense-worker, expert-worker, client, prometheus, edge, admin
#   NAME   that of the process or caller, such as dense-worker-0
# Environment:
#   DAYS          validity of certificates; default 30
#   HOSTS         alternative names; default DNS:localhost,IP:127.0.0.1,IP:::1
#   TRUST_DOMAIN  default apollo
#
# Writes FOLDER/ca.pem and ca.key once, and NAME.pem and NAME.key for each name.
# Refuses to overwrite a certificate: remove it first to renew it.
set -euo pipefail
(($# >= 2)) || { sed -n '2,/^set/{s/^# \{0,1\}//;/^set/!p}' "$0" >&2; exit 2; }
folder=$1
shift
readonly DAYS=${DAYS:-30} TRUST_DOMAIN=${TRUST_DOMAIN:-apollo}
readonly HOSTS=${HOSTS:-DNS:localhost,IP:127.0.0.1,IP:::1}
readonly ROLES=" router dense-worker expert-worker client prometheus edge admin "

fail() { echo "make_test_ca.sh: $*" >&2; exit 2; }
[[ $DAYS =~ ^[1-9][0-9]*$ ]] || fail "DAYS is \"$DAYS\"; it must be a number of at least 1"
for entry in "$@"; do
  [[ $entry == */* && $ROLES == *" ${entry%%/*} "* ]] || fail "\"$entry\" is not ROLE/NAME; roles are$ROLES"
  [[ ${entry#*/} =~ ^[A-Za-z0-9._-]+$ && ${entry#*/} != ca ]] || fail "\"$entry\": the name must consist of letters, digits, dots, dashes and underscores, and not be ca"
  [[ ! -e $folder/${entry#*/}.pem ]] || fail "$folder/${entry#*/}.pem exists; remove it to renew it"
done
umask 077
mkdir -p "$folder"
work=$(mktemp -d "$folder/.new-XXXXXX")
trap 'rm -rf "$work"' EXIT

new_key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1" 2> /dev/null; }

if [[ ! -e $folder/ca.pem ]]; then
  new_key "$work/ca.key"
  openssl req -x509 -new -key "$work/ca.key" -days 3650 -subj "/CN=Apollo test authority" \
    -addext "keyUsage=critical,keyCertSign,cRLSign" -out "$work/ca.pem"
  mv "$work/ca.key" "$work/ca.pem" "$folder"
fi
for entry in "$@"; do
  name=${entry#*/}
  new_key "$work/$name.key"
  openssl req -new -key "$work/$name.key" -subj "/CN=$name" -out "$work/$name.csr"
  cat > "$work/extensions" << END
basicConstraints=critical,CA:FALSE
keyUsage=critical,digitalSignature
extendedKeyUsage=serverAuth,clientAuth
authorityKeyIdentifier=keyid
subjectAltName=URI:spiffe://$TRUST_DOMAIN/$entry,$HOSTS
END
  openssl x509 -req -in "$work/$name.csr" -CA "$folder/ca.pem" -CAkey "$folder/ca.key" -days "$DAYS" \
    -set_serial "0x$(openssl rand -hex 16)" -extfile "$work/extensions" -out "$work/$name.pem" 2> /dev/null
  mv "$work/$name.key" "$work/$name.pem" "$folder"
done
