<?php
// What users of PhpRedis see of sessions; prints one JSON object. Arguments: port, token of a session, one that none has.
[, $port, $token, $unknown] = $argv;

function connected(int $port): Redis
{
    $redis = new Redis();
    $redis->connect('127.0.0.1', $port);
    return $redis;
}

// What a way to enter gives, and what a command that follows gives: programs often look at the second only.
function entered(int $port, callable $way): array
{
    $redis = connected($port);
    try {
        $given = $way($redis);
    } catch (RedisException $error) {
        $given = explode(',', $error->getMessage())[0];
    }
    try {
        $set = $redis->set('greeting', 'php');
    } catch (RedisException $error) {
        $set = $error->getMessage();
    }
    return [$given, $set];
}

$found = [];
foreach (['' => $token, 'Unknown' => $unknown] as $kind => $value) {
    $found["select$kind"] = entered($port, fn ($redis) => $redis->select((int) $value));
    $found["auth$kind"] = entered($port, fn ($redis) => $redis->auth(['session', $value]));
    $found["enter$kind"] = entered($port, fn ($redis) => $redis->rawCommand('SH_ENTER', $value));
}
echo json_encode($found), "\n";
