# Each tenant has a directory; a few have moved to servers of their own.
map $tenant $tenant_server {
    default "";
    acme    127.0.0.1:9001;
}

server {
    listen 80;
    server_name "~^(?<tenant>[a-z0-9-]+)\.tenants\.example\.com$";
    root /srv/tenants/$tenant/public;
    access_log /var/log/nginx/tenants.log vhosts;

    error_page 418 = @moved;
    if ($tenant_server) {
        return 418;
    }

    location / {
        try_files $uri $uri/index.html @missing;
    }

    location ~ ^/u/(?<user>[a-z]+)/ {
        add_header X-User $user;
    }

    location @missing {
        default_type text/html;
        return 404 "<p>$tenant has no $uri</p>\n";
    }

    location @moved {
        proxy_pass http://$tenant_server;
        proxy_set_header Host $host;
        proxy_set_header X-Tenant $tenant;
    }
}

# What looks like a tenant and is none.
server {
    listen 80;
    server_name ~^(.+)\.tenants\.example\.com$ tenants.example.com;
    return 404;
}
