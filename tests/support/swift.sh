#!/bin/bash
# swift: OpenStack Swift with its S3 API, which checks signatures, in one folder. SPDX-License-Identifier: Apache-2.0
#
#     swift.sh DIR PORT       settings in DIR, for the ports PORT (the API) .. PORT+5 of 127.0.0.1
#     DIR/run NAME            one of memcached account container object proxy, in the foreground
#
# The key is "test:tester", "a-key-of-the-store". Buckets keep versions where they are asked to; nothing is ever locked.
set -eu
export PATH=$PATH:/usr/sbin
mkdir -p "$1/dev/d1" "$1/cache"
cd "$1"
DIR=$PWD
PORT=$2

printf '[swift-hash]\nswift_hash_path_prefix = a\nswift_hash_path_suffix = b\n[storage-policy:0]\nname = zero\ndefault = yes\n' >swift.conf

common()
{
    printf '[DEFAULT]\nbind_ip = 127.0.0.1\nbind_port = %s\nswift_dir = %s\ndevices = %s/dev\nmount_check = false\ndisable_fallocate = true\n' "$1" "$DIR" "$DIR"
    printf 'user = %s\nworkers = 0\nlog_udp_host = 127.0.0.1\nlog_udp_port = %s\n' "$(id -un)" $((PORT + 5))
}

n=1
for server in account container object; do
    {
        common $((PORT + n))
        printf '[pipeline:main]\npipeline = %s-server\n[app:%s-server]\nuse = egg:swift#%s\n' $server $server $server
        printf '[filter:recon]\nuse = egg:swift#recon\nrecon_cache_path = %s/cache\n' "$DIR"
    } >$server.conf
    swift-ring-builder $server.builder create 4 1 0
    swift-ring-builder $server.builder add "r1z1-127.0.0.1:$((PORT + n))/d1" 1
    swift-ring-builder $server.builder rebalance || [ $? -eq 1 ]
    n=$((n + 1))
done >made

{
    common "$PORT"
    cat <<CONF
[pipeline:main]
pipeline = catch_errors healthcheck cache s3api tempauth bulk slo dlo versioned_writes symlink proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
# of one node: who is slow to begin is not left out for a minute
error_suppression_limit = 1000000
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:healthcheck]
use = egg:swift#healthcheck
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:$((PORT + 4))
[filter:s3api]
use = egg:swift#s3api
s3_acl = false
location = us-east-1
dns_compliant_bucket_names = no
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = a-key-of-the-store .admin
[filter:bulk]
use = egg:swift#bulk
[filter:slo]
use = egg:swift#slo
[filter:dlo]
use = egg:swift#dlo
[filter:versioned_writes]
use = egg:swift#versioned_writes
allow_versioned_writes = true
allow_object_versioning = true
[filter:symlink]
use = egg:swift#symlink
CONF
} >proxy.conf

cat >run <<SH
#!/bin/sh
case \$1 in
memcached) exec memcached -u $(id -un) -l 127.0.0.1 -p $((PORT + 4)) -m 16 ;;
*) exec /usr/bin/python3 /usr/bin/swift-\$1-server $DIR/\$1.conf ;;
esac
SH
chmod +x run
